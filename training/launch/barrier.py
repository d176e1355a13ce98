"""One attempt at a launch: the ranks as the tasks of one barrier stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from training.errors import StageError
from training.launch.channel import DriverServer, Message
from training.launch.job import Job
from training.launch.network import LOOPBACK
from training.launch.options import RankOptions
from training.launch.spark_job import SparkJob, first_lines
from training.launch.task import TaskSettings, run_task

STAGE_SECONDS = 10.0
"""How long Spark may take to end the stage after its ranks were told to stop, before the job is cancelled."""

MEETING_SECONDS = 60.0
"""How long tasks that have started wait for the others: Spark starts all at once, so this is for a Python
worker to come up."""

LINES_SECONDS = 5.0
"""How long the tasks of a stage that Spark has given up may take to end their ranks."""


def run_barrier(
    spark: Any, payload: bytes, num_ranks: int, options: RankOptions, job: Job, description: str
) -> dict[int, bytes]:
    """Run the pickled function on all ranks of a barrier stage; returns the pickled values by rank.

    Raises:
        RankFailedError: A rank raised or died.
        CallbackError: A function that takes output or events raised.
        StageError: Spark could not run the stage.
        TrainingError: No port is free.
    """
    bind_host, public_host = _driver_hosts(spark)

    def on_message(rank: int, message: Message) -> None:
        job.on_message(rank, message, lambda size: server.send(rank, {"type": "ack", "size": size}))

    name = f"{options.names.prefix}ports"
    server = DriverServer(bind_host, public_host, num_ranks, on_message, job.on_close, options.ports, name)
    job.connect(server.broadcast)
    try:
        settings = TaskSettings(payload, server.endpoint, options)
        stage = SparkJob(spark, _run_stage(settings, num_ranks), description)
        try:
            _wait(stage, job)
        except BaseException:
            # Ctrl-C, most likely. The ranks are ended first: then the tasks end by themselves.
            job.stop()
            job.wait_for_connections(STAGE_SECONDS)
            stage.finish(1.0)
            raise
    finally:
        job.wait_for_connections(LINES_SECONDS)
        server.close()
    job.finish()
    results: dict[int, bytes] = stage.result or {}
    if job.failures:
        failed = job.failed()
        if stage.error is not None and failed.cause.kind == "lost":
            failed = failed.noting(f"Spark says: {first_lines(stage.error)}")
        raise failed
    if stage.error is not None:
        raise StageError(
            f"Spark could not run the barrier stage: {first_lines(stage.error)}"
        ) from stage.error
    if len(results) + len(job.lost) < num_ranks:
        raise StageError(
            f"the barrier stage ended with the values of {len(results)} of {num_ranks} ranks and no "
            f"error; see the logs of the executors"
        )
    return results


def _run_stage(settings: TaskSettings, num_ranks: int) -> Callable[[Any], dict[int, bytes]]:
    def body(_rows: Iterator[int]) -> Iterator[tuple[int, bytes]]:
        return run_task(settings)

    def action(context: Any) -> dict[int, bytes]:
        return dict(context.parallelize(range(num_ranks), num_ranks).barrier().mapPartitions(body).collect())

    return action


def _wait(stage: SparkJob, job: Job) -> None:
    """Wait for the end of the stage; one that outlives its ranks is cancelled."""
    while not stage.wait(1.0):
        job.fail_if_late(MEETING_SECONDS)
        if job.stopped_for() > STAGE_SECONDS:
            stage.finish(0.0)
            return


def _driver_hosts(spark: Any) -> tuple[str, str]:
    """Address to listen on, and name under which the tasks reach it."""
    context = spark.sparkContext
    if context.master.startswith("local"):
        return LOOPBACK, LOOPBACK
    public = context.getConf().get("spark.driver.host")
    return context.getConf().get("spark.driver.bindAddress", public), public
