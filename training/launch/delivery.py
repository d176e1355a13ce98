"""Hands what ranks print and report to the caller's functions one by one, and holds the ranks back.

`say` and `on_event` may be slow (a console that waits for its reader) or raise. A thread of their own calls
them, so that the threads that read from the ranks never wait: a peer that does not read counts as gone. A
rank may be ahead of these functions by a window of bytes; what it sends beyond that waits at its own end.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any

from training.errors import CallbackError
from training.launch.connection import Message

WINDOW_BYTES = 1 << 20
"""How far a rank may be ahead of `say` and `on_event`: some thousand lines; 1 GB for a thousand ranks."""

SLOW_SECONDS = 5.0
"""A call of `say` or `on_event` that lasts longer is named in the error, for ranks wait behind it."""

_MESSAGE_BYTES = 64
"""What a message counts besides its text."""

FLOWING = frozenset({"output", "log", "event"})
"""Types of the messages that the window counts."""

Say = Callable[[str], None]
OnEvent = Callable[[int, dict[str, Any]], None]


def size_of(message: Message) -> int:
    """What a message counts in the window; both ends find the same number."""
    size = message.get("size", 0)
    return _MESSAGE_BYTES + len(str(message.get("text", ""))) + (size if isinstance(size, int) else 0)


def checked(say: Say) -> Say:
    """The function for lines of the launch itself: what it raises becomes a CallbackError."""

    def call(line: str) -> None:
        try:
            say(line)
        except Exception as error:
            raise CallbackError(f"say, which takes lines of the launch, raised {_summary(error)}") from error

    return call


class Window:
    """The sender's end: bytes that are under way and not delivered yet."""

    def __init__(self) -> None:
        self._under_way = 0
        self._open = False
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        """Wait until a message of that size may go; one that is larger than the window goes alone."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._open or not self._under_way or self._under_way + size <= WINDOW_BYTES
            )
            self._under_way += size

    def give(self, size: int) -> None:
        """So much has been delivered."""
        with self._changed:
            self._under_way -= size
            self._changed.notify_all()

    def open(self) -> None:
        """Nobody is held back any more: the rank or the driver is going."""
        with self._changed:
            self._open = True
            self._changed.notify_all()


class Delivery:
    """The receiver's end.

    Args:
        say: Takes a line of a rank's output.
        on_event: Takes a rank and an event of it.
        on_error: Called once, when one of them has raised; nothing is handed to them after that.

    Attributes:
        error: What was raised; None so far.
        complaint: Which function raised it and where, for a message.
    """

    def __init__(self, say: Say, on_event: OnEvent | None, on_error: Callable[[], None]) -> None:
        self.error: BaseException | None = None
        self.complaint = ""
        self._say, self._on_event, self._on_error = say, on_event, on_error
        self._waiting: deque[tuple[int, Message, Callable[[int], None]]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._since: float | None = None
        self._num_delivered = 0
        self._last = False

    def put(self, rank: int, message: Message, delivered: Callable[[int], None]) -> None:
        """Take a message of a rank.

        Args:
            rank: The rank.
            message: Of one of the types of `FLOWING`, or a 'notice': a line of the driver's own.
            delivered: Called with its size once it has been handed over.
        """
        with self._changed:
            self._waiting.append((rank, message, delivered))
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ringlake-delivery", daemon=True)
                self._thread.start()

    def finish(self, patience: float | None = None) -> bool:
        """Wait until all has been handed over, and take no more.

        Args:
            patience: Give up when nothing has been handed over for so many seconds; None to wait for ever.

        Returns:
            Whether all has been handed over.
        """
        with self._changed:
            seen, began = self._num_delivered, time.monotonic()
            while self._waiting or self._since is not None:
                # In pieces, so that Ctrl-C gets through.
                self._changed.wait(0.2)
                if self._num_delivered != seen:
                    seen, began = self._num_delivered, time.monotonic()
                if patience is not None and time.monotonic() - began > patience:
                    break
            complete = not self._waiting and self._since is None
            self._last = True
            self._waiting.clear()
            self._changed.notify_all()
        return complete

    def slow_call(self) -> str:
        """A sentence on a call that has lasted for long; empty if there is none."""
        since = self._since
        seconds = 0.0 if since is None else time.monotonic() - since
        if seconds < SLOW_SECONDS:
            return ""
        return (
            f"for {seconds:.0f} s before that the driver had waited for its own console (say, on_event) to "
            f"take a line or an event; ranks wait when nobody takes what they print, see what holds that up"
        )

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._last)
                if not self._waiting:
                    return
                rank, message, delivered = self._waiting.popleft()
                self._since = time.monotonic()
            try:
                if self.error is None:
                    self._hand_over(rank, message)
            except BaseException as error:  # noqa: BLE001 - the caller's function may raise anything
                self._complain(rank, message, error)
            finally:
                with self._changed:
                    self._since = None
                    self._num_delivered += 1
                    self._changed.notify_all()
            delivered(size_of(message))

    def _hand_over(self, rank: int, message: Message) -> None:
        if message.get("type") == "notice":
            self._say(str(message["text"]))
        elif message.get("type") != "event":
            for line in str(message.get("text", "")).split("\n"):
                self._say(f"[rank {rank}] {line}")
        elif self._on_event and isinstance(message.get("event"), dict):
            self._on_event(rank, message["event"])

    def _complain(self, rank: int, message: Message, error: BaseException) -> None:
        name = "on_event" if message.get("type") == "event" else "say"
        what = "an event" if name == "on_event" else "a line"
        self.complaint = (
            f"{name}, which the driver calls with what ranks send, raised {_summary(error)} at {what} of "
            f"rank {rank}; the ranks were ended"
        )
        self.error = error
        self._on_error()


def _summary(error: BaseException) -> str:
    return traceback.format_exception_only(error)[0].strip()
