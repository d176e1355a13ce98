"""How far Spark is with a stage of the run, asked of its status tracker while the stage runs."""

from __future__ import annotations

import contextlib
import time

from pyspark.sql import SparkSession

from pipelines.console.console import QUIET_SECONDS, Console
from pipelines.console.ticker import Ticker
from pipelines.granted import asked_for, granted

EXECUTOR_SECONDS = 20.0
"""Time after which it is told that no executor has come: YARN takes some ten seconds to start one."""


class SparkProgress(Ticker):
    """Shows tasks done, tasks to do, rate and elapsed time of the active Spark stages of one job group."""

    def __init__(self, spark: SparkSession, group: str, console: Console) -> None:
        super().__init__(f"progress-{group}", 0.5)
        self._spark = spark
        self._tracker = spark.sparkContext.statusTracker()
        self._group = group
        self._console = console
        self._began = time.monotonic()

    def tick(self) -> None:
        """Show how far it is."""
        elapsed = time.monotonic() - self._began
        if elapsed >= QUIET_SECONDS:
            with contextlib.suppress(Exception):  # the JVM may be gone: the stage itself tells why
                self._console.live(self._line(elapsed))

    def _line(self, elapsed: float) -> str:
        active, tasks, done, running = 0, 0, 0, 0
        for job in self._tracker.getJobIdsForGroup(self._group):
            info = self._tracker.getJobInfo(job)
            if info is None:
                continue
            for stage_id in info.stageIds:
                stage = self._tracker.getStageInfo(stage_id)
                if stage is None:
                    continue
                done += stage.numCompletedTasks
                if info.status == "RUNNING":
                    tasks += stage.numTasks
                    running += stage.numActiveTasks
                    active += stage.numCompletedTasks
        if not tasks:
            return f"  {self._group}: {elapsed:.0f} s, {done} Spark tasks done, the driver is at work"
        if not running and elapsed >= EXECUTOR_SECONDS and not granted(self._spark).executors:
            return (
                f"  {self._group}: {elapsed:.0f} s, no executor yet; {asked_for(self._spark)} were asked "
                "for: the cluster is busy, or has no machine as large"
            )
        rate = done / elapsed
        return (
            f"  {self._group}: {elapsed:.0f} s, {active} of {tasks} Spark tasks of this job, "
            f"{running} running, {rate:.1f} tasks/s over all"
        )
