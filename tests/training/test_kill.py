"""Ranks that are killed at random steps, then other numbers of ranks: the very same batches and loss curve.

The steps are drawn anew in each run of the tests. RINGLAKE_TEST_SEED repeats a run whose seed was printed.
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from ringlake.base.storage import Folder
from tests.training.tiny import make_config, make_job
from training.errors import RankFailedError
from training.job import TrainJob
from training.launch import LaunchOptions, launch
from training.logs.metrics import read_metrics
from training.loop import train_rank

MIXTURE = {"weight": 2, "lakes": [{"lake": "a", "weight": 1}]}


@dataclass(frozen=True)
class Attempt:
    """Ranks of a launch, and the step (from 0) at which one of them is killed; None: it runs to its end."""

    num_ranks: int
    kill_at: int | None


def watched(job: TrainJob, folder: Path, kill_at: int | None, victim: int) -> Callable[[], Any]:
    """Trains, and leaves the ids that this rank really got in FOLDER/STEP.RANK.json before each step."""

    # Defined here, and so pickled by value: the ranks need not import this module.
    def main() -> Any:
        from training import loop
        from training.launch.ranks import current_rank
        from training.step import Stepper

        original = Stepper.step

        def stepping(self: Stepper, batch: Any, wait_seconds: float, **more: Any) -> Any:
            rank = current_rank().rank
            if batch.step == kill_at and rank == victim:
                os.kill(os.getpid(), signal.SIGKILL)
            (folder / f"{batch.step}.{rank}.json").write_text(json.dumps(batch.sequence_ids.tolist()))
            return original(self, batch, wait_seconds, **more)

        Stepper.step = stepping  # type: ignore[method-assign]
        return loop.train_rank(job)

    return main


def recorded(folder: Path, step: int) -> list[int]:
    return sorted(number for part in folder.glob(f"{step}.*.json") for number in json.loads(part.read_text()))


@pytest.mark.parametrize(
    "mixes",
    [pytest.param(False, id="one-table", marks=pytest.mark.rare), pytest.param(True, id="mixture")],
)
def test_killed_at_random_steps_with_other_ranks_it_is_the_undisturbed_training(
    mixes: bool, spark: SparkSession, tmp_path: Path
) -> None:
    seed = int(os.environ.get("RINGLAKE_TEST_SEED") or random.SystemRandom().randrange(2**32))
    draw = random.Random(seed)
    changes = {"mixture": MIXTURE} if mixes else {}
    job = make_job(tmp_path, make_config(**changes), mixed=[(31, 5)] if mixes else ())
    epoch = job.plan.steps_per_epoch
    # One table: killed in the first and in the second epoch. A mixture: killed once, wherever.
    attempts = (
        [Attempt(2, draw.randrange(1, 20)), Attempt(1, None)]
        if mixes
        else [Attempt(2, draw.randrange(1, epoch)), Attempt(1, draw.randrange(epoch, 20)), Attempt(2, None)]
    )
    print(f"RINGLAKE_TEST_SEED={seed}: {attempts}")

    calm = make_job(tmp_path / "calm", make_config(**changes), mixed=[(31, 5)] if mixes else ())
    train_rank(calm)
    curve = {line["step"]: line for line in read_metrics(Folder(calm.checkpoint_dir))}

    reached, options = 0, LaunchOptions(threads_per_rank=1)
    for number, attempt in enumerate(attempts):
        folder = tmp_path / f"ids-{number}"
        folder.mkdir()
        run = watched(job, folder, attempt.kill_at, draw.randrange(attempt.num_ranks))
        if attempt.kill_at is None:
            trained = launch(run, attempt.num_ranks, spark=spark, options=options)[0]
            assert trained.totals.step == 20
            assert trained.resumed_from <= reached
        else:
            with pytest.raises(RankFailedError, match="SIGKILL"):
                launch(run, attempt.num_ranks, spark=spark, options=options)
            reached = attempt.kill_at
        steps = sorted({int(part.name.split(".")[0]) for part in folder.iterdir()})
        for step in steps:
            whole = len(list(folder.glob(f"{step}.*.json"))) == attempt.num_ranks
            wanted = sorted(number for shard in calm.plan.batch(step) for number in shard.tolist())
            assert recorded(folder, step) == wanted if whole else step == attempt.kill_at, (number, step)

    found = read_metrics(Folder(job.checkpoint_dir))
    assert [line["step"] for line in found] == list(range(1, 21))
    assert [line["ids_hash"] for line in found] == [curve[step]["ids_hash"] for step in range(1, 21)]
    losses = [curve[step]["loss"] for step in range(1, 21)]
    assert [line["loss"] for line in found] == pytest.approx(losses, rel=1e-4)
    assert trained.totals.sequences == job.plan.count_sequences(20)
