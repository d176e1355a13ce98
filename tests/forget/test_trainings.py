"""Trainings that are pinned to versions with forgotten documents go on, and are certified."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pipelines.lake import Catalog, Lake, read_table
from tests.conftest import SmallJob
from tests.forget.search import files_with, needles
from tests.support.cli import ringlake, status
from tests.support.tables import rows

pytestmark = [pytest.mark.slow, pytest.mark.rare, pytest.mark.timeout(900)]

RESUMED_FROM = 15


def test_a_training_goes_on_behind_an_erasure(
    small_job: SmallJob, spark: SparkSession, tmp_path: Path
) -> None:
    """Cut off after step 15, then a document is forgotten that it had seen and will meet again."""
    lake = tmp_path / "lake"
    shutil.copytree(small_job.lake, lake)
    settings = ("train.steps=40", "train.global_batch_size=64", "train.checkpoint_every=5")
    flags = [word for each in (*settings, "train.keep_checkpoints=20") for word in ("--set", each)]
    command: list[str | Path] = ["train", "--lake", lake, "--run", small_job.run_file, *flags]
    ringlake(*command)
    (key,) = (folder.name for folder in (lake / "checkpoints").iterdir())
    for folder in (lake / "checkpoints" / key).glob("step-*"):
        if int(folder.name.removeprefix("step-")) > RESUMED_FROM:
            shutil.rmtree(folder)
    shutil.rmtree(lake / "model")

    seen = json.loads(ringlake("trace", "--lake", lake, "--document", "u94", "--source-id", "--json").stdout)
    assert any(step["step"] > RESUMED_FROM for step in seen["steps"])
    texts = {row["source_id"]: row["text"] for row in rows(lake, "documents")}
    wanted = needles(texts.pop("u94"), texts.values())
    assert len(wanted) > 20
    doc_id = seen["documents"][0]["doc_id"]
    numbers = {name: Catalog(Lake.at(lake)).version(name) for name in Catalog(Lake.at(lake)).names()}
    told = json.loads(ringlake("forget", "--lake", lake, "u94", "--source-id", "--json").stdout)
    (erasure,) = told["erasures"]
    assert {step["step"] for step in erasure["steps"]} >= {step["step"] for step in seen["steps"]}
    left = files_with(lake, wanted)
    assert left <= {"model/README.md", *(path for path in left if path.startswith("tokenizers/"))}

    gone = ringlake(*command).stderr
    assert f"going on from the checkpoint of step {RESUMED_FROM}" in gone
    certificate = json.loads(ringlake("verify", lake, "--json").stdout)
    assert certificate["verdict"] == "exact"
    assert "forgotten since" in next(
        each["detail"] for each in certificate["checks"] if each["name"] == "tokens"
    )

    # Spark reads what was rewritten, and a run sees nothing to do before training.
    for name in ("documents", "clean", "corpus", "tokens", "sequences", "sources"):
        assert read_table(spark, Lake.at(lake), name).count() == len(rows(lake, name))
    done = ringlake("run", small_job.run_file, "--set", f"lake={lake}", *flags).stderr
    stages = ("ingest", "clean", "dedup", "tokenize", "pack")
    assert all(f"{stage}: up to date" in done for stage in stages)
    after = Catalog(Lake.at(lake))
    assert all(after.version(name) == number for name, number in numbers.items() if name != "runs")

    # From the raw file again: counted, and not kept.
    ringlake("ingest", "--lake", lake, "--run", small_job.run_file, "--force")
    assert doc_id not in {row["doc_id"] for row in rows(lake, "documents")}
    (source,) = rows(lake, "sources")
    assert source["skipped"]["erased"] >= 1
    assert status(lake)["runs"][-1]["state"] == "succeeded"
    assert not (files_with(lake, wanted) - left)
