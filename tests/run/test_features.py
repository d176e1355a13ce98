"""The optional stage through the command line, and a training that starts from its vectors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipelines.lake import Catalog, Lake, Ledger
from tests.conftest import SmallJob
from tests.support.cli import ringlake


@pytest.fixture(scope="module")
def lake(small_job: SmallJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the small lake on which the stage has run, on tokens."""
    copy = tmp_path_factory.mktemp("features") / "lake"
    shutil.copytree(small_job.lake, copy)
    shutil.rmtree(copy / "checkpoints")
    size = ("--unit", "tokens", "--vector-size", "32")
    ringlake("features", "--lake", copy, "--run", small_job.run_file, *size, "--set", "features.min_count=2")
    return copy


def test_a_whole_run_leaves_it_out_and_the_command_accounts_for_every_document(
    lake: Path, small_job: SmallJob
) -> None:
    assert "features" not in small_job.stderr
    record = Ledger(Lake.at(lake)).latest("features")
    assert record is not None
    corpus = Catalog(Lake.at(lake)).info("corpus").rows
    assert record.rows_in == record.rows_out == corpus
    assert Catalog(Lake.at(lake)).info("tfidf").rows == corpus
    assert record.details["num_vectors"] > 100


@pytest.mark.rare
def test_training_starts_from_the_vectors(lake: Path, small_job: SmallJob) -> None:
    steps = ("--set", "train.steps=4", "--set", "train.num_ranks=1", "--set", "train.log_every=1")
    losses = []
    for start in ((), ("--set", "model.embeddings=features")):
        ringlake("train", "--lake", lake, "--run", small_job.run_file, *steps, *start)
        record = Ledger(Lake.at(lake)).latest("train")
        assert record is not None
        lines = Path(record.details["metrics"]).read_text(encoding="utf-8").splitlines()
        losses.append([json.loads(line)["loss"] for line in lines])
    assert len(losses[0]) == len(losses[1]) == 4
    assert losses[0] != losses[1]


def test_without_the_stage_training_says_how_to_run_it(small_job: SmallJob, tmp_path: Path) -> None:
    shutil.copytree(small_job.lake, tmp_path / "lake")
    start = ("--run", small_job.run_file, "--set", "model.embeddings=features")
    done = ringlake("train", "--lake", tmp_path / "lake", *start, code=3)
    assert "'features' has not run" in done.stderr
    assert "ringlake features" in done.stderr
