"""`ringlake run --incremental`: days of new, replaced and deleted files give the lake of one big run."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf import RunConfig, load
from pipelines.console.console import Console
from pipelines.daily.plan import finished_batches
from pipelines.daily.run import Daily, run_daily
from pipelines.errors import EnvironmentProblem, InputError
from pipelines.lake import Catalog, Lake, Ledger, TableInfo
from pipelines.run.execute import execute
from pipelines.run.snapshots import take_snapshot
from tests.dedup.support import random_words
from tests.support.cli import write_run
from tests.support.tables import rows
from training.data.layout import read_layout

Files = Mapping[str, list[str]]


def write(folder: Path, files: Files) -> None:
    """Files of one document a line, whose id is its place."""
    folder.mkdir(exist_ok=True)
    for name, texts in files.items():
        lines = [json.dumps({"id": str(place), "text": text}) for place, text in enumerate(texts)]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def config_of(folder: Path, lake: Path, *settings: str) -> RunConfig:
    run_file = write_run(folder / "run.yaml", folder / "in")
    plain = ["clean.profile=none", "dedup.ngram=2", "dedup.validation_fraction=0.3"]
    return load(run_file, [f"lake={lake}", *plain, *settings])


def day(config: RunConfig, until: str | None = "pack", **daily: Any) -> None:
    run_daily(config, Console(), Daily(**daily), until=until)


def texts(seed: int, number: int) -> list[str]:
    random_ = random.Random(seed)
    return [" ".join(random_words(random_, 40)) for _ in range(number)]


def ids(lake: Path, table: str) -> list[Any]:
    return sorted(row["doc_id"] for row in rows(lake, table))


def check_sequences(lake: Path) -> None:
    """The ids of each split follow one another, and each document begins once in all days."""
    found = rows(lake, "sequences")
    for split in {row["split"] for row in found}:
        own = sorted(row["sequence_id"] for row in found if row["split"] == split)
        assert own == list(range(len(own)))
    begins = [part["doc_id"] for row in found for part in row["segments"] if part["doc_start"] == 0]
    assert set(ids(lake, "tokens")) <= set(begins)
    assert len(set(begins)) == len(begins), "a document was packed twice"


class Cut(Console):
    """A console at which a run ends as it says a line: what was committed is committed, nothing else is."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def say(self, line: str) -> None:
        super().say(line)
        if line.strip().startswith(self.text):
            raise ConnectionError(f"cut at {self.text!r}")


def cut_at(config: RunConfig, *lines: str) -> None:
    """Runs that are cut short one after the other, each behind another commit."""
    for line in lines:
        with pytest.raises(ConnectionError):
            run_daily(config, Cut(line), Daily(), until="pack")


def check_equal(lake: Path, whole: Path) -> None:
    """The tables of days have the documents of one big run, each in the split that it has there."""
    for table in ("documents", "clean", "rejected", "corpus", "duplicates", "tokens"):
        assert ids(lake, table) == ids(whole, table), table
    splits = [{row["doc_id"]: row["split"] for row in rows(place, "corpus")} for place in (lake, whole)]
    assert splits[0] == splits[1]
    check_sequences(lake)


def test_a_second_day_is_added_once(spark: SparkSession, tmp_path: Path) -> None:
    """A replaced file, a deleted and a new one, cut short between commits: the lake of one big run."""
    folder, lake = tmp_path / "in", tmp_path / "lake"
    base = texts(1, 20)
    config = config_of(tmp_path, lake)
    write(folder, {"a.jsonl": base[:6], "b.jsonl": [f"{base[1]} more", *base[6:9]], "c.jsonl": base[9:12]})
    day(config)
    # The survivor of base[1] goes, a longer copy of base[2] comes.
    write(folder, {"b.jsonl": [base[12], *base[6:9]], "d.jsonl": [f"{base[2]} more", base[3], *base[13:16]]})
    (folder / "c.jsonl").unlink()
    cut_at(config, "clean", "corpus", "sequences")
    day(config)
    done = finished_batches(Lake.at(lake))[-1]
    assert [done[name] for name in ("new", "late", "replaced", "deleted")] == [1, 0, 1, 1]
    # Of two equal texts the smaller id stays, whose ever that is.
    assert done["superseded"] >= 1
    assert done["reopened"] == 1
    execute(config_of(tmp_path, tmp_path / "whole"), Console(), until="pack")
    check_equal(lake, tmp_path / "whole")
    versions = {name: Catalog(Lake.at(lake)).version(name) for name in Catalog(Lake.at(lake)).names()}
    day(config)
    assert versions == {name: Catalog(Lake.at(lake)).version(name) for name in versions}, "nothing was new"
    with pytest.raises(InputError, match="has daily batches"):
        execute(config, Console(), until="pack")


@pytest.mark.slow
@pytest.mark.rare
@pytest.mark.timeout(1800)
def test_days_are_one_big_run(spark: SparkSession, tmp_path: Path) -> None:
    """New, late, replaced and deleted files, survivors that go and come; cut short between commits."""
    folder, lake = tmp_path / "in", tmp_path / "lake"
    base = texts(1, 24)
    config = config_of(tmp_path, lake)
    catalog = Catalog(Lake.at(lake))
    write(folder, {"a.jsonl": base[:8], "b.jsonl": [base[0], f"{base[1]} more", *base[8:12]]})
    cut_at(config, "sources", "tokens")
    day(config)
    first = catalog.info("sequences")
    # A longer copy of a text of a.jsonl, a copy of one of b.jsonl, and new ones.
    write(folder, {"c.jsonl": [f"{base[2]} and more words", base[8], *base[12:16]]})
    day(config)
    # b.jsonl had the survivor of base[1], c.jsonl loses its longer copy of base[2].
    write(folder, {"b.jsonl": [base[0], *base[8:12], base[20]], "c.jsonl": base[12:18]})
    (folder / "a.jsonl").touch()
    cut_at(config, "documents", "corpus", "sequences")
    day(config)
    (folder / "a.jsonl").unlink()
    write(folder, {"d.jsonl": [base[8], f"{base[9]} and more"], "e.jsonl": [base[21], ""]})
    os.utime(folder / "e.jsonl", (1e9, 1e9))
    cut_at(config, "batches")
    day(config)
    done = finished_batches(Lake.at(lake))
    changes = [[row[name] for name in ("new", "late", "replaced", "deleted")] for row in done]
    assert changes == [[2, 0, 0, 0], [1, 0, 0, 0], [0, 0, 2, 0], [1, 1, 0, 1]]
    assert [row["superseded"] > 0 for row in done] == [False, True, False, True]
    assert done[2]["reopened"] > 0
    execute(config_of(tmp_path, tmp_path / "whole"), Console(), until="pack")
    check_equal(lake, tmp_path / "whole")
    assert sorted((row["batch"], row["source"], row["change"]) for row in rows(lake, "sources")) == [
        ("000000", "a.jsonl", "new"),
        ("000000", "b.jsonl", "new"),
        ("000001", "c.jsonl", "new"),
        ("000002", "b.jsonl", "replaced"),
        ("000002", "c.jsonl", "replaced"),
        ("000003", "a.jsonl", "deleted"),
        ("000003", "d.jsonl", "new"),
        ("000003", "e.jsonl", "late"),
    ]
    _check_what_follows(config, tmp_path, first)
    _check_upkeep(spark, config, first)


def _check_upkeep(spark: SparkSession, config: RunConfig, first: TableInfo) -> None:
    """OPTIMIZE and VACUUM leave what older versions hold, and are told of where batches go on."""
    place = Lake.at(config.lake)
    table = f"delta.`{place.spark_table('sequences')}`"
    before = take_snapshot(place, "train", first.version)
    version = Catalog(place).info("sequences").version
    spark.sql(f"OPTIMIZE {table}")
    spark.sql(f"VACUUM {table}")
    assert read_layout(before).num_sequences == before.num_sequences
    with pytest.raises(InputError, match=rf"RESTORE TABLE .* TO VERSION AS OF {version}"):
        day(config)
    spark.sql(f"RESTORE TABLE {table} TO VERSION AS OF {version}")
    day(config)


def _check_what_follows(config: RunConfig, folder: Path, first: TableInfo) -> None:
    """Nothing new changes nothing; what was packed lies where it lay; what must not be done is refused."""
    place = Lake.at(config.lake)
    catalog = Catalog(place)
    versions = {name: catalog.version(name) for name in catalog.names()}
    day(config)
    assert versions == {name: catalog.version(name) for name in versions}, "nothing was new"
    assert not place.root.child("batches").names()
    now = catalog.info("sequences").version
    assert catalog.active_paths("sequences", first.version) < catalog.active_paths("sequences", now)
    assert (
        take_snapshot(place, "train").num_sequences
        > take_snapshot(place, "train", first.version).num_sequences
    )
    assert read_layout(take_snapshot(place, "train")).num_sequences
    runs = [record for record in Ledger(place).records() if record.state == "succeeded"]
    assert len({record.run_id for record in runs}) == len(runs)
    assert [record.stage for record in runs] == ["ingest", "clean", "dedup", "tokenize", "pack"] * 4
    with pytest.raises(InputError, match="has daily batches"):
        execute(config, Console(), until="pack")
    other = config_of(folder, Path(config.lake), "dedup.validation_fraction=0.2")
    with pytest.raises(
        InputError, match=r"dedup\.validation_fraction: 0\.3 in batch 000003, 0\.2 now.*--accept"
    ):
        day(other)
    day(other, accepts_changes=True)
    with pytest.raises(InputError, match=r"pack\.sequence_length cannot change"):
        day(config_of(folder, Path(config.lake), "pack.sequence_length=32"), accepts_changes=True)
    with place.locked(), pytest.raises(EnvironmentProblem, match="another ringlake"):
        day(config)
