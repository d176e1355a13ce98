"""What the driver knows of a running job: who has started, finished, failed, and when all must stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from training.launch.channel import Message
from training.launch.failures import Failure, failure_from_message, is_follow_up

GRACE_SECONDS = 3.0
"""After a rank reports that a collective broke, how long the rank that broke it may take to say why."""

Say = Callable[[str], None]
OnEvent = Callable[[int, dict[str, Any]], None]


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
        self.failures: list[Failure] = []
        self.lost: set[int] = set()
        self._expendable = frozenset(expendable)
        self._num_ranks = num_ranks
        self._say, self._on_event = say, on_event
        self._broadcast: Callable[[Message], None] | None = None
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

    def on_message(self, rank: int, message: Message) -> None:
        """Take a message of a rank or its task."""
        kind = message.get("type")
        if kind in {"output", "log"}:
            with self._lock:
                for line in str(message.get("text", "")).split("\n"):
                    self._say(f"[rank {rank}] {line}")
        elif kind == "event" and self._on_event and isinstance(message.get("event"), dict):
            with self._lock:
                self._on_event(rank, message["event"])
        elif kind == "hello":
            self._meet(rank, message)
        elif kind == "failure":
            self._fail(failure_from_message({**message, "rank": rank}))
        elif kind == "done":
            self._finish(rank)

    def on_close(self, rank: int) -> None:
        """Take the end of a rank's line: expected after a failure, a stop or the release of all."""
        with self._changed:
            failed = rank in self.lost or any(failure.rank == rank for failure in self.failures)
            unexpected = not failed and not self._complete and self._stopped_at is None
            self._closed.add(rank)
            self._changed.notify_all()
        if unexpected:
            host = str(self._hello.get(rank, {}).get("host", "unknown"))
            self._fail(Failure(rank, host, "lost", "its Spark task or executor went away without a word"))

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

    def wait_for_lines(self, seconds: float) -> bool:
        """Wait until the line of every rank that had one has ended: its task has ended the rank by then."""
        with self._changed:
            return self._changed.wait_for(lambda: self._hello.keys() <= self._closed, seconds)

    def fail_if_late(self, seconds: float) -> None:
        """Stop if a rank has not been heard of for that long after the first one."""
        with self._lock:
            begin = self._hello_at
            missing = sorted(set(range(self._num_ranks)) - self._hello.keys() - self._ended)
        if begin is not None and missing and time.monotonic() - begin > seconds:
            summary = f"its Spark task has not reported within {seconds:g} s of the first"
            self._fail(Failure(missing[0], "unknown", "lost", summary))

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

    def _fail(self, failure: Failure) -> None:
        if failure.kind == "exit" and failure.rank in self._expendable:
            with self._lock:
                self.lost.add(failure.rank)
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
