"""Time that a kill -9 of a rank costs: until the driver knows, until all ranks are back, until the same step.

python -m benchmarks recovery                  3 kills of rank 1 of 2, with max_restarts = 1
python -m benchmarks recovery --rounds 5 --json

The model of the default run file trains on synthetic sequences; a checkpoint is written every 50 steps, the
kill comes 40 steps after one.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from conf import DEFAULT_RUN, load
from conf.spark import SparkConfig

RANKS = 2
CHECKPOINT_EVERY, KILL_STEP, STEPS = 50, 90, 100

PHASES = ("detection", "relaunch", "repeated steps")


def main(argv: list[str]) -> int:
    """Kills and prints medians, or JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks recovery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3, help="kills, each in a training of its own")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    machine = describe()
    from pipelines.session import open_session

    session = SparkConfig(master=f"local[{RANKS}]", driver_memory="1g", shuffle_partitions=2)
    spark = open_session(session, "recovery benchmark")
    try:
        rounds = [measure(spark) for _ in range(options.rounds)]
    finally:
        spark.stop()
    value = {
        "benchmark": "recovery",
        "machine": machine,
        "steps": {"checkpoint_every": CHECKPOINT_EVERY, "killed_at": KILL_STEP},
        "median": {name: statistics.median(found[name] for found in rounds) for name in rounds[0]},
        "rounds": rounds,
    }
    sys.stdout.write(json.dumps(value, indent=1) + "\n" if options.json else text(value))
    return 0


def measure(spark: Any) -> dict[str, float]:
    """One training with one kill.

    Raises:
        RuntimeError: It did not go on from a checkpoint after the kill.
    """
    from tests.training.tiny import make_config, make_job
    from training.launch import LaunchOptions, launch

    watch = Watch(KILL_STEP)
    with tempfile.TemporaryDirectory(prefix="ringlake-recovery-") as folder:
        config = make_config(steps=STEPS, checkpoint_every=CHECKPOINT_EVERY, validate_every=STEPS)
        job = make_job(Path(folder), config, load(DEFAULT_RUN).model)
        launch(
            train,
            RANKS,
            spark=spark,
            args=(job,),
            options=LaunchOptions(threads_per_rank=1, max_restarts=1, say=watch.say, on_event=watch.on_event),
        )
    return split(watch.killed, watch.known, watch.steps)


def train(job: Any) -> None:
    """A rank: says who it is, then trains."""
    from training.launch import current_rank, emit
    from training.loop import train_rank

    emit({"type": "pid", "rank": current_rank().rank, "pid": os.getpid()})
    train_rank(job)


class Watch:
    """Hears the ranks, kills rank 1 once, and keeps the times of the machine's monotonic clock.

    Attributes:
        killed: When the kill was sent; None before.
        known: When the launcher said that it starts again; None before.
        steps: When the driver heard of each step, in order: (time, step).
    """

    def __init__(self, kill_step: int) -> None:
        self.killed: float | None = None
        self.known: float | None = None
        self.steps: list[tuple[float, int]] = []
        self._kill_step = kill_step
        self._pids: dict[int, int] = {}

    def say(self, line: str) -> None:
        if "restart 1 of 1" in line:
            self.known = time.monotonic()
        sys.stderr.write(line + "\n")

    def on_event(self, _rank: int, event: Mapping[str, Any]) -> None:
        if event["type"] == "pid":
            self._pids[event["rank"]] = event["pid"]
        if event["type"] == "step":
            self.steps.append((time.monotonic(), event["step"]))
            if event["step"] == self._kill_step and self.killed is None:
                self.killed = time.monotonic()
                os.kill(self._pids[1], signal.SIGKILL)


def split(killed: float | None, known: float | None, steps: Sequence[tuple[float, int]]) -> dict[str, float]:
    """Seconds of each phase, their total, and what the steps done twice took the first time.

    Args:
        killed: Time of the kill.
        known: Time when the launcher began its next attempt.
        steps: Time and number of each step, of both attempts.

    Raises:
        RuntimeError: There was no second attempt, or it did not come to the step again.
    """
    if killed is None or known is None:
        raise RuntimeError("the training ended without a kill and a restart")
    before = [(when, step) for when, step in steps if when <= known]
    after = [(when, step) for when, step in steps if when > known]
    reached = max(step for _, step in before)
    back = next((when for when, step in after if step >= reached), None)
    if back is None:
        raise RuntimeError(f"after the restart training did not come to step {reached} again")
    first_step = after[0][1]
    lost = reached - first_step + 1
    return {
        "detection": known - killed,
        "relaunch": after[0][0] - known,
        "repeated steps": back - after[0][0],
        "total": back - killed,
        "steps repeated": float(lost),
    }


def text(value: Mapping[str, Any]) -> str:
    """The measurement for people."""
    median = value["median"]
    lines = [f"{name:15} {median[name]:7.2f} s" for name in (*PHASES, "total")]
    lines.append(f"steps repeated  {median['steps repeated']:7.0f}")
    lines.append(f"medians of {len(value['rounds'])} kills; {json.dumps(value['machine'])}")
    return "\n".join(lines) + "\n"
