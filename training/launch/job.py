"""What the driver knows of a running job: who has started, finished, failed, and when all must stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection

from training.errors import CallbackError, RankFailedError
from training.failures import RankFailure, failure_from_message, is_follow_up
from training.launch.connection import Message
from training.launch.delivery import FLOWING, Delivery, OnEvent, Say

GRACE_SECONDS = 3.0
"""After a rank reports that a collective broke, how long the rank that broke it may take to say why."""

PATIENCE_SECONDS = 10.0
"""After a failure: how long `say` and `on_event` may stand still before the rest is left out."""


class Job:
    """One attempt at running all ranks; its methods may be called from any thread.

    Args:
        num_ranks: Number of ranks.
        say: Takes a line of a rank's output.
        on_event: Takes a rank and an event of it.
        expendable: Ranks whose process may die without ending the job.

    Attributes:
        failures: How ranks failed, in the order in which it was reported.
        lost: Expendable ranks that died.
    """

    def __init__(
        self, num_ranks: int, say: Say, on_event: OnEvent | None, expendable: Collection[int] = ()
    ) -> None:
        self.failures: list[RankFailure] = []
        self.lost: set[int] = set()
        self._expendable = frozenset(expendable)
        self._num_ranks = num_ranks
        self._delivery = Delivery(say, on_event, self._stop_for_callback)
        self._stopped_for_callback = False
        self._broadcast: Callable[[Message], None] | None = None
        self._notes: list[str] = []
        self._reasons: dict[int, str] = {}
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._hello: dict[int, Message] = {}
        self._hello_at: float | None = None
        self._done: set[int] = set()
        self._ended: set[int] = set()
        self._closed: set[int] = set()
        self._stopped_at: float | None = None
        self._complete = False

    def connect(self, broadcast: Callable[[Message], None]) -> None:
        """Say how 'stop' and 'release' reach the ranks."""
        self._broadcast = broadcast

    def on_message(
        self, rank: int, message: Message, delivered: Callable[[int], None] = lambda _size: None
    ) -> None:
        """Take a message of a rank or its task, without waiting.

        Args:
            rank: The rank.
            message: What it says.
            delivered: Called with the size of an output line, log message or event once it has been handed
                to `say` or `on_event`; see `training.launch.delivery`.
        """
        kind = message.get("type")
        if kind in FLOWING:
            self._delivery.put(rank, message, delivered)
        elif kind == "hello":
            self._meet(rank, message)
        elif kind == "failure":
            self._fail(failure_from_message({**message, "rank": rank}))
        elif kind == "done":
            self._finish(rank)
        elif kind == "broken":
            with self._lock:
                self._reasons[rank] = str(message.get("reason", ""))

    def on_close(self, rank: int) -> None:
        """Take the end of a rank's connection: expected after a failure, a stop or the release of all."""
        with self._changed:
            failed = rank in self.lost or any(failure.rank == rank for failure in self.failures)
            unexpected = not failed and not self._complete and self._stopped_at is None
            self._closed.add(rank)
            self._changed.notify_all()
        if unexpected:
            reason = self._reasons.get(rank)
            summary = "its Spark task or executor went away " + (
                f"({reason})" if reason else "without a word"
            )
            self._fail(RankFailure(rank, self.host_of(rank), "lost", summary))

    def host_of(self, rank: int) -> str:
        """Name of a rank's host, as its task told it."""
        return str(self._hello.get(rank, {}).get("host", "unknown"))

    def finish(self) -> None:
        """Have `say` and `on_event` take what is left, and call them no more.

        Raises:
            CallbackError: One of them raised, and no rank had failed before. What is no Exception
                (KeyboardInterrupt, SystemExit) is raised as it is.
        """
        hurried = self.failures or self._stopped_at is not None
        if not self._delivery.finish(PATIENCE_SECONDS if hurried else None):
            self._notes.append("not all output of the ranks could be shown")
        error = self._delivery.error
        if error is None:
            return
        if not self._stopped_for_callback:
            self._notes.append(f"after that {self._delivery.complaint}")
        elif isinstance(error, Exception):
            raise CallbackError(self._delivery.complaint) from error
        else:
            raise error

    def failed(self) -> RankFailedError:
        """Why the job failed: the cause, the ranks that failed after it, and what else is known."""
        return RankFailedError(self.failures, self._num_ranks, tuple(dict.fromkeys(self._notes)))

    def stop(self) -> None:
        """Tell all tasks to end their ranks."""
        with self._lock:
            if self._stopped_at is None:
                self._stopped_at = time.monotonic()
        if self._broadcast:
            self._broadcast({"type": "stop"})

    def stopped_for(self) -> float:
        """Seconds since the order to stop, 0 if there was none."""
        return 0.0 if self._stopped_at is None else time.monotonic() - self._stopped_at

    def wait_for_connections(self, seconds: float) -> bool:
        """Wait until the connection of every rank that had one has ended; by then its task ended the rank."""
        with self._changed:
            return self._changed.wait_for(lambda: self._hello.keys() <= self._closed, seconds)

    def fail_if_late(self, seconds: float) -> None:
        """Stop if a rank has not been heard of for that long after the first one."""
        with self._lock:
            begin = self._hello_at
            missing = sorted(set(range(self._num_ranks)) - self._hello.keys() - self._ended)
        if begin is not None and missing and time.monotonic() - begin > seconds:
            summary = f"its Spark task has not reported within {seconds:g} s of the first"
            self._fail(RankFailure(missing[0], "unknown", "lost", summary))

    def _meet(self, rank: int, message: Message) -> None:
        with self._lock:
            self._hello[rank] = message
            self._hello_at = self._hello_at or time.monotonic()
            complete = len(self._hello) == self._num_ranks
            stopped = self._stopped_at is not None
        if stopped and self._broadcast:
            # It was not there when the order was given.
            self._broadcast({"type": "stop"})
        elif complete and self._broadcast:
            ranks = [self._hello[number] for number in range(self._num_ranks)]
            self._broadcast({"type": "meeting", "ranks": ranks})

    def _finish(self, rank: int) -> None:
        with self._lock:
            self._ended.add(rank)
            self._done.add(rank)
            self._complete = len(self._done) == self._num_ranks
        if self._complete and self._broadcast:
            self._broadcast({"type": "release"})

    def _fail(self, failure: RankFailure) -> None:
        if failure.kind == "exit" and failure.rank in self._expendable:
            with self._lock:
                self.lost.add(failure.rank)
            text = f"rank {failure.rank} on host {failure.host} died: {failure.summary}"
            self._delivery.put(failure.rank, {"type": "notice", "text": text}, lambda _size: None)
            self._finish(failure.rank)
            return
        slow = self._delivery.slow_call()
        with self._lock:
            if slow:
                self._notes.append(slow)
            self.failures.append(failure)
            self._ended.add(failure.rank)
            everyone = len(self._ended) == self._num_ranks
        if is_follow_up(failure) and not everyone:
            timer = threading.Timer(GRACE_SECONDS, self.stop)
            timer.daemon = True
            timer.start()
        else:
            self.stop()

    def _stop_for_callback(self) -> None:
        with self._lock:
            self._stopped_for_callback = not self.failures
        self.stop()
