"""One attempt at a launch: the ranks as the tasks of one barrier stage.

The Spark job runs in a thread of its own, so the caller's thread is free for Ctrl-C. PySpark's own handler
asks the JVM over the caller's connection; were that connection busy with the job, it would take the job's
answer for its own, and the interrupt would be lost.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

from training.errors import RankFailedError, StageError
from training.launch.channel import DriverServer
from training.launch.failures import explain, root_cause
from training.launch.job import Job
from training.launch.network import LOOPBACK
from training.launch.options import Options
from training.launch.task import TaskSettings, run_task

STAGE_SECONDS = 10.0
"""How long Spark may take to end the stage after its ranks were told to stop, before the job is cancelled."""

MEETING_SECONDS = 60.0
"""How long tasks that have started wait for the others: Spark starts all at once, so this is for a Python
worker to come up."""

CANCEL_SECONDS = 10.0
"""How long a cancelled job may take to come back."""

LINES_SECONDS = 5.0
"""How long the tasks of a stage that Spark has given up may take to end their ranks."""


def run_barrier(
    spark: Any, payload: bytes, num_ranks: int, options: Options, job: Job, description: str
) -> dict[int, bytes]:
    """Run the pickled function on all ranks of a barrier stage; returns the pickled values by rank.

    Raises:
        RankFailedError: A rank raised or died.
        StageError: Spark could not run the stage.
        TrainingError: No port is free.
    """
    bind_host, public_host = _driver_hosts(spark)
    server = DriverServer(bind_host, public_host, num_ranks, job.on_message, job.on_close, options.ports)
    job.connect(server.broadcast)
    try:
        stage = _Stage(spark, TaskSettings(payload, server.endpoint, options), num_ranks, description)
        try:
            stage.wait(job)
        except BaseException:
            # Ctrl-C, most likely. The ranks are ended first: then the tasks end by themselves.
            job.stop()
            job.wait_for_lines(STAGE_SECONDS)
            stage.finish(1.0)
            raise
    finally:
        job.wait_for_lines(LINES_SECONDS)
        server.close()
    if job.failures:
        text = explain(job.failures, num_ranks)
        if stage.error is not None and root_cause(job.failures).kind == "lost":
            text += f"\nSpark says: {_first_lines(stage.error)}"
        raise RankFailedError(text)
    if stage.error is not None:
        raise StageError(
            f"Spark could not run the barrier stage: {_first_lines(stage.error)}"
        ) from stage.error
    if len(stage.results) + len(job.lost) < num_ranks:
        raise StageError(
            f"the barrier stage ended with the values of {len(stage.results)} of {num_ranks} ranks and no "
            f"error; see the logs of the executors"
        )
    return stage.results


class _Stage:
    """The Spark job, in a thread that inherits the caller's properties (pool, tags) but not its job group."""

    def __init__(self, spark: Any, settings: TaskSettings, num_ranks: int, description: str) -> None:
        from pyspark import InheritableThread

        self.results: dict[int, bytes] = {}
        self.error: Exception | None = None
        self._context = spark.sparkContext
        self._settings, self._num_ranks = settings, num_ranks
        self._group, self._description = f"ringlake-{uuid.uuid4().hex}", description
        self._finished = threading.Event()
        InheritableThread(target=self._run, daemon=True).start()

    def wait(self, job: Job) -> None:
        """Wait for its end; a stage that outlives its ranks is cancelled."""
        while not self._finished.wait(1.0):
            job.fail_if_late(MEETING_SECONDS)
            if job.stopped_for() > STAGE_SECONDS:
                self.finish(0.0)
                return

    def finish(self, seconds: float) -> None:
        """Give it some seconds to end, then cancel it."""
        if not self._finished.wait(seconds):
            self._context.cancelJobGroup(self._group)
            self._finished.wait(CANCEL_SECONDS)

    def _run(self) -> None:
        settings = self._settings

        def body(_rows: Iterator[int]) -> Iterator[tuple[int, bytes]]:
            return run_task(settings)

        try:
            self._context.setJobGroup(self._group, self._description)
            parts = self._context.parallelize(range(self._num_ranks), self._num_ranks)
            self.results = dict(parts.barrier().mapPartitions(body).collect())
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            self.error = error
        finally:
            self._finished.set()


def _first_lines(error: Exception) -> str:
    java = getattr(error, "java_exception", None)
    text = str(java.getMessage()) if java is not None else str(error)
    lines = [line for line in text.splitlines() if not line.startswith("\tat ")]
    return "\n".join(lines[:40])


def _driver_hosts(spark: Any) -> tuple[str, str]:
    """Address to listen on, and name under which the tasks reach it."""
    context = spark.sparkContext
    if context.master.startswith("local"):
        return LOOPBACK, LOOPBACK
    public = context.getConf().get("spark.driver.host")
    return context.getConf().get("spark.driver.bindAddress", public), public
