"""Trains the tiny job through the real launch on local[6] with every strategy; run by the tests here.

Usage: python -m tests.training.strategies.program FOLDER

It reads names of cases, one a line, runs each when it is asked for, and says a line when it is done.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from conf.spark import SparkConfig
from conf.strategy import StrategyConfig
from conf.train import TrainConfig
from tests.training.strategies.descent import run_descent
from tests.training.strategies.law import descend_as_rank
from tests.training.tiny import make_config, make_job
from training.errors import RankFailedError, TrainingError
from training.job import TrainJob
from training.launch import LaunchOptions, launch
from training.start import name_server

CASES: dict[str, tuple[int, dict[str, Any]]] = {
    "single": (1, {"name": "single"}),
    "ring-2": (2, {"name": "ring"}),
    "ring-overlap-4": (4, {"name": "ring", "ring": {"overlap": True, "bucket_mib": 0.004, "fusion_mib": 1}}),
    "ring-fp16-2": (2, {"name": "ring", "ring": {"compression": "fp16", "cycle_ms": 2}}),
    "ddp-4": (4, {"name": "ddp"}),
    "sharded-2": (2, {"name": "ddp", "ddp": {"shard": True}}),
    "servers-1": (2, {"name": "parameter_server"}),
    "servers-2": (2, {"name": "parameter_server", "parameter_server": {"servers": 2}}),
    "async-4": (4, {"name": "parameter_server", "parameter_server": {"mode": "async", "max_staleness": 1}}),
    "local-2-nesterov": (2, {"name": "local_sgd", "local_sgd": {"local_steps": 2, "outer": "nesterov"}}),
}
"""Ranks and strategy section of each case that trains 20 steps."""

DEATHS: dict[str, tuple[int, dict[str, Any], int]] = {
    "lost-worker": (2, {"name": "parameter_server", "parameter_server": {"mode": "async"}}, 1),
    "lost-server": (2, {"name": "parameter_server"}, 2),
}
"""Ranks, strategy section and the rank that kills itself on the way."""

RESUMED = {"servers-1": "lost-server", "local-2-nesterov": "local-2-nesterov", "sharded-2": "ring-2"}
"""Cases that are also resumed, and the case that was killed on the way before: of `DEATHS` as it is there,
another by its rank 0."""

DESCENTS: dict[str, dict[str, Any]] = {
    "descent-ring-2": {"name": "ring"},
    "descent-local-2": {"name": "local_sgd", "local_sgd": {"local_steps": 1}},
}
"""Strategy section of each case of plain gradient descent on two ranks, see `descent`."""

STAGED = "descent-staged-2"
"""The first of them again, with every tensor sent by way of host memory."""

QUIET = LaunchOptions(say=lambda line: None)

LAWS = {"law-1": 1, "law-2": 2, "law-4": 4}
"""Ranks of each case of the least-squares problem, see `law`."""

DONE = "done:"

IN_ONE_LAUNCH = "small-2"
"""Two ranks that do all cases of two ranks that train nothing: each start of a rank imports torch."""


def main(folder: Path, names: Iterable[str]) -> None:
    """Leave a folder a case with checkpoints and metrics, and results.json."""
    from pipelines.session import open_session

    spark = open_session(
        SparkConfig(master="local[6]", driver_memory="1g", shuffle_partitions=4), "strategies"
    )
    results: dict[str, Any] = {}
    for name in names:
        try:
            found = run_case(spark, name, folder)
            results |= found if name == IN_ONE_LAUNCH else {name: found}
        except TrainingError as error:
            # The other cases are worth running all the same; the tests of this one show the message.
            results[name] = {"error": str(error)}
        (folder / "results.json").write_text(json.dumps(results))
        print(DONE, name, flush=True)
    spark.stop()


def run_case(spark: Any, name: str, folder: Path) -> Any:
    """What rank 0 returned; of `IN_ONE_LAUNCH` by case.

    Args:
        spark: The session.
        name: The case.
        folder: What has a folder a case.
    """
    if name in LAWS:
        return launch(descend_as_rank, LAWS[name], spark=spark, options=QUIET)[0]
    if name == IN_ONE_LAUNCH:
        jobs = {
            case: make_job(folder / case, case_config(StrategyConfig(**section), 2))
            for case, section in DESCENTS.items()
        }
        return launch(descend_in_turn, 2, spark=spark, args=(jobs,), options=QUIET)[0]
    if name in DEATHS:
        ranks, section, victim = DEATHS[name]
        return run(spark, partial(die_on_the_way, victim=victim), folder / name, ranks, section)
    base = name.removesuffix("-resumed")
    place = folder / name
    if name != base and RESUMED[base] in DEATHS:
        # A checkpoint names its tables, so it is gone on with where it is.
        place = folder / RESUMED[base]
        (folder / name).symlink_to(place, target_is_directory=True)
    elif name != base:
        with contextlib.suppress(RankFailedError):
            run(spark, die_on_the_way, place, *CASES[RESUMED[base]])
    return run(spark, train, place, *CASES[base])


def run(
    spark: Any,
    body: Callable[[TrainJob], Any],
    folder: Path,
    ranks: int,
    section: dict[str, Any],
    **changes: Any,
) -> Any:
    """What rank 0 did, as JSON values, of a body that every process of a strategy runs."""
    strategy = StrategyConfig(**section)
    lines: list[str] = []
    job = make_job(folder, case_config(strategy, ranks, **changes))
    try:
        values = launch(
            body,
            ranks + strategy.chosen.num_servers,
            spark=spark,
            args=(job,),
            options=LaunchOptions(
                say=lines.append,
                expendable=strategy.chosen.expendable(ranks),
                on_event=lambda rank, event: lines.append(f"{rank} {event}"),
            ),
        )
    except RankFailedError as error:
        raise name_server(error, ranks) from None
    finally:
        (folder / "output.txt").write_text("\n".join(lines))
    return asdict(values[0])


def case_config(strategy: StrategyConfig, ranks: int, **changes: Any) -> TrainConfig:
    """The tiny job's configuration with a strategy."""
    return make_config(**{"num_ranks": ranks, "strategy": strategy, "keep_checkpoints": 9, **changes})


LAG_SECONDS, LAG_STEPS = 0.1, 3
"""The last rank rests before every second step, so that the others have to wait: at least so long, and as
long as so many of its steps on a machine that is slow just now."""


def train(job: TrainJob) -> Any:
    """What every rank (and server) does."""
    import time

    from training import loop
    from training.launch import current_rank
    from training.step import Stepper

    step = Stepper.step
    last = current_rank().world_size - 1 - job.config.strategy.chosen.num_servers
    rest = LAG_SECONDS

    def lagging(self: Stepper, batch: Any, wait_seconds: float, **more: Any) -> Any:
        nonlocal rest
        if batch.step % 2 and current_rank().rank == last > 0:
            time.sleep(rest)
        began = time.perf_counter()
        result = step(self, batch, wait_seconds, **more)
        rest = max(LAG_SECONDS, LAG_STEPS * (time.perf_counter() - began))
        return result

    Stepper.step = lagging  # type: ignore[method-assign]
    return loop.take_part(job)


def descend_in_turn(jobs: dict[str, TrainJob]) -> dict[str, Any]:
    """The law of two ranks, the descents, and the first of them as ranks that share a GPU do it.

    A CPU can show as much of the last that copies are sent and arrive.
    """
    from training.strategies import staging

    found: dict[str, Any] = {"law-2": descend_as_rank()}
    found |= {name: run_descent(job) for name, job in jobs.items()}
    staging.needs_host = lambda device, backend: True
    found[STAGED] = run_descent(jobs["descent-ring-2"])
    return found


def die_on_the_way(job: TrainJob, victim: int = 0) -> Any:
    """The same training, but one process kills itself after six steps in the log and a whole checkpoint."""
    import os
    import signal
    import threading
    import time

    from training.launch import current_rank

    def watch() -> None:
        folder = Path(job.checkpoint_dir)
        log = folder / "metrics.jsonl"
        # Checkpoints are written behind the training, so the log may be ahead of them.
        while not log.exists() or log.read_bytes().count(b"\n") < 6 or not any(folder.glob("step-*")):
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGKILL)

    if current_rank().rank == victim:
        threading.Thread(target=watch, daemon=True).start()
    return train(job)


if __name__ == "__main__":
    main(Path(sys.argv[1]), (line.strip() for line in sys.stdin))
