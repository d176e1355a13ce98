"""One lake for all tests of tracing: the small job's, trained over two epochs, cut off and gone on with."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import SmallJob
from tests.support.cli import ringlake

STEPS, BATCH, RESUMED_FROM = 40, 64, 15

SETTINGS = (
    f"train.steps={STEPS}",
    f"train.global_batch_size={BATCH}",
    "train.validate_every=20",
    "train.checkpoint_every=5",
    "train.keep_checkpoints=20",
)


@dataclass(frozen=True)
class Traced:
    """A lake with two trainings.

    Attributes:
        lake: The lake; tests only read it.
        planted: Ids planted in the corpus by kind.
        first: Key of the small job's own training, of 24 steps, whose checkpoints are gone.
        second: Key of the training of 40 steps, whose model the lake has.
    """

    lake: Path
    planted: dict[str, list[str]]
    first: str
    second: str


@pytest.fixture(scope="session")
def traced(small_job: SmallJob, tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """A training on two ranks that lost all after step 15, and went on from there on one."""
    lake = tmp_path_factory.mktemp("traced") / "lake"
    shutil.copytree(small_job.lake, lake)
    (first,) = (folder.name for folder in (lake / "checkpoints").iterdir())
    flags = [word for setting in SETTINGS for word in ("--set", setting)]
    command: list[str | Path] = ["train", "--lake", lake, "--run", small_job.run_file, *flags]
    ringlake(*command, "--num-ranks", "2")
    (second,) = (folder.name for folder in (lake / "checkpoints").iterdir())
    # As a crash after step 15 leaves it: no later checkpoint and no model, but lines of later steps.
    for folder in (lake / "checkpoints" / second).glob("step-*"):
        if int(folder.name.removeprefix("step-")) > RESUMED_FROM:
            shutil.rmtree(folder)
    shutil.rmtree(lake / "model")
    told = ringlake(*command, "--num-ranks", "1").stderr
    assert f"going on from the checkpoint of step {RESUMED_FROM}" in told
    return Traced(lake, small_job.planted, first, second)
