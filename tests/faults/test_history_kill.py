"""kill -9 around the two commits of a batch, the lake's and the history's: the next run makes both whole."""

from __future__ import annotations

import random
import shutil
import signal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pipelines.lake import Catalog, Lake, write_table
from tests.dedup.support import clean_frame, random_words
from tests.support.cli import command, ringlake, status
from tests.support.ended import end_when
from tests.support.tables import content_hash, rows

pytestmark = [pytest.mark.slow, pytest.mark.rare, pytest.mark.timeout(900)]

TABLES = ("corpus", "duplicates", "superseded")


def _days() -> tuple[dict[str, str], dict[str, str]]:
    """Two batches: the second has copies of the first one's texts, longer and shorter, and new ones."""
    random_ = random.Random(6)
    monday = {f"m{number}": " ".join(random_words(random_, 80)) for number in range(60)}
    tuesday = {f"t{number}": " ".join(random_words(random_, 80)) for number in range(20)}
    for number in range(40):
        text = monday[f"m{number}"]
        tuesday[f"n{number}"] = (f"{text} more", text[:-4], text, text.upper())[number % 4]
    return monday, tuesday


def _args(lake: Path, history: Path, day: str) -> list[str | Path]:
    return ["dedup", "--lake", lake, "--history", history, "--batch", day, "--set", "spark.master=local[2]"]


def test_a_batch_killed_around_its_commits_is_in_lake_and_history_once(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Killed after the lake's last table and before the history's commit, then again right after that."""
    for day, texts in zip(("mon", "tue"), _days(), strict=True):
        lake = Lake.at(tmp_path / day)
        lake.create()
        write_table(spark, lake, "clean", clean_frame(spark, texts), {})
    calm, hit = tmp_path / "calm", tmp_path / "hit"
    ringlake(*_args(tmp_path / "mon", calm, "mon"))
    shutil.copytree(calm, hit)
    shutil.copytree(tmp_path / "tue", tmp_path / "killed")
    ringlake(*_args(tmp_path / "tue", calm, "tue"))

    killed = tmp_path / "killed"
    args = _args(killed, hit, "tue")
    first_version = "_delta_log/00000000000000000000.json"
    ended = killed / "tables" / TABLES[-1] / first_version
    end_when(command(*args), tmp_path / "log0", "the lake's tables", signal.SIGKILL, ended.exists)
    assert all((killed / "tables" / name / first_version).exists() for name in TABLES)
    assert Catalog(Lake.at(hit)).version("signatures") == 0, "the history was committed before the kill"
    assert not [run for run in status(killed)["runs"] if run["state"] == "succeeded"]

    added = hit / "tables" / "signatures" / "_delta_log" / "00000000000000000001.json"
    end_when(command(*args), tmp_path / "log1", "the history's commit", signal.SIGKILL, added.exists)

    ringlake(*args)
    assert [run["state"] for run in status(killed)["runs"] if run["stage"] == "dedup"][-1] == "succeeded"
    for name in TABLES:
        assert rows(killed, name), f"{name} shows nothing"
        assert content_hash(killed, name) == content_hash(tmp_path / "tue", name), name
    assert content_hash(hit, "signatures") == content_hash(calm, "signatures")
    ids = [(row["sequence"], row["doc_id"]) for row in rows(hit, "signatures")]
    assert len(set(ids)) == len(ids)
    assert Catalog(Lake.at(hit)).version("signatures") == 1, "the batch was committed again"
