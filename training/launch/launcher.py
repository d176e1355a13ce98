"""`launch`: run a function as N Horovod ranks in one barrier stage of a Spark application."""

from __future__ import annotations

import contextlib
import sys
import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

import cloudpickle  # type: ignore[import-untyped]

from training.errors import RankFailedError, TrainingError
from training.launch.channel import DriverServer, Message
from training.launch.failures import Failure, explain, failure_from_message, is_follow_up
from training.launch.network import LOOPBACK
from training.launch.slots import check_slots
from training.launch.task import TaskSettings, run_task

GRACE_SECONDS = 3.0
"""After a rank reports that a collective broke, how long the rank that broke it may take to say why."""

_JOB_PROPERTIES = ("spark.jobGroup.id", "spark.job.description", "spark.job.interruptOnCancel")


def launch(
    train: Callable[..., Any],
    num_ranks: int,
    *,
    spark: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    threads_per_rank: int | Literal["auto"] = "auto",
    stall_seconds: int = 60,
    interface: str | None = None,
    description: str = "training",
    say: Callable[[str], None] = lambda line: print(line, flush=True),
    on_event: Callable[[int, dict[str, Any]], None] | None = None,
    expendable: Collection[int] = (),
) -> list[Any]:
    """Run `train(*args, **kwargs)` in a fresh process for each of `num_ranks` ranks and wait for all.

    Each rank runs inside a barrier task of its own, with the environment that `horovod.torch.init()` wants.
    What a rank prints goes to `say` line by line behind its rank; what it hands to
    `training.launch.emit` goes to `on_event`. When one rank fails the others are ended.

    Args:
        train: The function; it and its arguments are pickled by value where needed (cloudpickle).
        num_ranks: Number of ranks, at least 1.
        spark: The active SparkSession.
        args: Positional arguments of the function.
        kwargs: Keyword arguments of the function.
        threads_per_rank: CPU threads of a rank; 'auto': cores of its host over the ranks on it.
        stall_seconds: A collective that waits longer than this ends the job.
        interface: Network interface for the collectives; None: loopback on one host, else the one that has
            the host's address.
        description: What the Spark UI shows.
        say: Takes a line of progress or of a rank's output.
        on_event: Takes a rank and an event of it.
        expendable: Ranks whose process may die without ending the others; an exception that they raise, or
            the loss of their Spark task, still ends the job.

    Returns:
        What the function returned, by rank; None for an expendable rank that died.

    Raises:
        NotEnoughSlotsError: There are fewer slots than ranks.
        RankFailedError: A rank raised or died; the message has rank, host and its traceback.
        TrainingError: The function cannot be pickled, or Spark could not run the stage.

    Example:
        >>> launch(lambda: current_rank().rank, 2, spark=spark)  # doctest: +SKIP
        [0, 1]
    """
    if num_ranks < 1:
        raise TrainingError(f"num_ranks must be at least 1, not {num_ranks}")
    payload = _pickle(train, args, kwargs)
    check_slots(spark, num_ranks, say)
    job = _Job(num_ranks, say, on_event, expendable)
    bind_host, public_host = _driver_hosts(spark)
    server = DriverServer(bind_host, public_host, num_ranks, job.on_message, job.on_close)
    job.server = server
    settings = TaskSettings(payload, server.endpoint, threads_per_rank, stall_seconds, interface)
    try:
        with _described(spark, f"{description}: {num_ranks} rank{'s' if num_ranks > 1 else ''}"):
            results = _run_stage(spark, settings, num_ranks, job)
    finally:
        server.close()
    return [cloudpickle.loads(results[rank]) if rank in results else None for rank in range(num_ranks)]


class _Job:
    """What the driver knows of a running job; its methods are called from the threads of the lines."""

    def __init__(
        self,
        num_ranks: int,
        say: Callable[[str], None],
        on_event: Callable[[int, dict[str, Any]], None] | None,
        expendable: Collection[int],
    ) -> None:
        self.lost: set[int] = set()
        self._expendable = frozenset(expendable)
        self.server: DriverServer | None = None
        self.failures: list[Failure] = []
        self._num_ranks = num_ranks
        self._say, self._on_event = say, on_event
        self._lock = threading.Lock()
        self._hosts: dict[int, str] = {}
        self._done: set[int] = set()
        self._ended: set[int] = set()
        self._stopping = False

    def on_message(self, rank: int, message: Message) -> None:
        kind = message.get("type")
        if kind == "output":
            with self._lock:
                self._say(f"[rank {rank}] {message.get('text', '')}")
        elif kind == "event" and self._on_event and isinstance(message.get("event"), dict):
            with self._lock:
                self._on_event(rank, message["event"])
        elif kind == "started":
            self._hosts[rank] = str(message.get("host", ""))
        elif kind == "failure":
            self._fail(failure_from_message({**message, "rank": rank}))
        elif kind == "done":
            self._finish(rank)

    def on_close(self, rank: int) -> None:
        with self._lock:
            unexpected = rank not in self._ended and not self._stopping
        if unexpected:
            host = self._hosts.get(rank, "unknown")
            self._fail(Failure(rank, host, "lost", "its Spark task or executor went away without a word"))

    def _finish(self, rank: int) -> None:
        with self._lock:
            self._ended.add(rank)
            self._done.add(rank)
            complete = len(self._done) == self._num_ranks
            self._stopping |= complete
        if complete and self.server:
            self.server.broadcast({"type": "release"})

    def _fail(self, failure: Failure) -> None:
        if failure.kind == "exit" and failure.rank in self._expendable:
            self.lost.add(failure.rank)
            with self._lock:
                self._say(f"rank {failure.rank} on host {failure.host} died: {failure.summary}")
            self._finish(failure.rank)
            return
        with self._lock:
            self.failures.append(failure)
            self._ended.add(failure.rank)
            everyone = len(self._ended) == self._num_ranks
        if is_follow_up(failure) and not everyone:
            timer = threading.Timer(GRACE_SECONDS, self.stop)
            timer.daemon = True
            timer.start()
        else:
            self.stop()

    def stop(self) -> None:
        """Tell all tasks to end their ranks."""
        with self._lock:
            self._stopping = True
        if self.server:
            self.server.broadcast({"type": "stop"})


def _pickle(train: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> bytes:
    try:
        return bytes(cloudpickle.dumps((train, tuple(args), dict(kwargs or {}))))
    except Exception as error:
        raise TrainingError(
            f"the training function or its arguments cannot be pickled: {type(error).__name__}: {error}; "
            f"open files, sockets, locks and Spark objects inside the function instead of passing them"
        ) from error


def _run_stage(spark: Any, settings: TaskSettings, num_ranks: int, job: _Job) -> dict[int, bytes]:
    def body(_rows: Iterator[int]) -> Iterator[tuple[int, bytes]]:
        return run_task(settings)

    stage = spark.sparkContext.parallelize(range(num_ranks), num_ranks).barrier().mapPartitions(body)
    try:
        results = dict(stage.collect())
    except Exception as error:
        if job.failures:
            raise RankFailedError(explain(job.failures, num_ranks)) from None
        raise TrainingError(f"Spark could not run the barrier stage: {_first_lines(error)}") from error
    if job.failures or len(results) + len(job.lost) < num_ranks:
        raise RankFailedError(explain(job.failures, num_ranks))
    return results


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


@contextlib.contextmanager
def _described(spark: Any, description: str) -> Iterator[None]:
    """Name the Spark job; on the way out cancel what still runs and restore the thread's properties."""
    context = spark.sparkContext
    before = {name: context.getLocalProperty(name) for name in _JOB_PROPERTIES}
    group = f"ringlake-{uuid.uuid4().hex}"
    context.setJobGroup(group, description)
    try:
        yield
    finally:
        if sys.exc_info()[0] is not None:
            context.cancelJobGroup(group)
        for name, value in before.items():
            context.setLocalProperty(name, value)
