"""An asynchronous training that lost a rank ends well on any number of ranks: its losses are its history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pytest
from pyspark.sql import SparkSession

from pipelines.run.accounting import Tally
from ringlake.base.storage import Folder
from tests.training.place import Place
from tests.training.tiny import make_config, make_job, make_snapshots, make_tokenizer
from training.checkpoints.identity import find_training
from training.errors import RankFailedError
from training.job import TrainJob
from training.launch.job import Job
from training.launch.local import run_local
from training.launch.options import RankOptions

ASYNC = {"name": "parameter_server", "parameter_server": {"mode": "async"}}


def lose_rank_1_then_0(job: TrainJob) -> Any:
    """Rank 1 dies at its step 6; rank 0 at step 12, when the checkpoint of step 8 is whole."""
    import os
    import signal
    import time

    from training import loop
    from training.launch import current_rank
    from training.step import Stepper

    step, rank = Stepper.step, current_rank().rank

    def dying(self: Stepper, batch: Any, wait_seconds: float, **more: Any) -> Any:
        if (rank, batch.step) == (0, 11):
            while not any(Path(job.checkpoint_dir).glob("step-000000008/manifest.json")):
                time.sleep(0.01)
        if (rank, batch.step) in ((1, 5), (0, 11)):
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, batch, wait_seconds, **more)

    Stepper.step = dying  # type: ignore[method-assign]
    return loop.take_part(job)


@pytest.mark.rare
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_a_lost_rank_left_out_is_accounted_for_after_a_resume_without_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    job = make_job(tmp_path, make_config(num_ranks=2, strategy=ASYNC))
    with pytest.raises(RankFailedError, match="rank 0 of 3"):
        # As `launch` does, without Spark: two ranks and a server are more than the session's two slots.
        payload = cloudpickle.dumps((lose_rank_1_then_0, (job,), {}))
        run_local(payload, 3, RankOptions(threads_per_rank=1), Job(3, lambda line: None, None, range(1, 2)))
    found = find_training(Folder(job.checkpoint_dir))
    assert found is not None
    step, state = found.step, found.state
    totals = state["totals"]
    # Up to its death rank 1 took half of 5 batches or, if it died in that step, of 6.
    # The checkpoint of step 10 may be whole as well, or not yet.
    assert step in (8, 10)
    assert totals["sequences"] + totals["lost"] == job.plan.count_sequences(step)
    # Batch 10 ends the first pass over the 75 sequences with three of them, of which rank 1 has one or two.
    assert 4 * (step - 6) - 3 <= totals["lost"] <= 4 * (step - 5)

    tokenizer = make_tokenizer(tmp_path / "tokenizer")
    place = Place(tmp_path, tokenizer, *make_snapshots(tmp_path / "sequences", tokenizer))
    result = place.run(spark, make_config(num_ranks=1, strategy=ASYNC))
    assert (result.resumed_from, result.steps, result.num_ranks) == (step, 20, 1)
    assert result.sequences_lost == totals["lost"]
    Tally(result.sequences_planned, result.sequences_used, result.sequences_lost).check("train")
