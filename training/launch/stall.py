"""Ends a rank whose collective waits too long.

Horovod has a stall check of its own (HOROVOD_STALL_SHUTDOWN_TIME_SECONDS), but version 0.28.1 over Gloo was
seen to wait on: a rank slept, the other waited, and neither warning nor shutdown came. These two need no
help from Horovod: threads that look at the clock. `StallGuard` is for code that says what it waits for;
`watch_horovod` covers functions that call Horovod directly.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from types import FrameType

from training.launch.events import end_with_failure

STALL_VARIABLE = "RINGLAKE_STALL_SECONDS"
"""Set by the launcher: the longest time that a collective may wait, in seconds."""


class StallGuard:
    """Watches one wait at a time, always the same thread's.

    Args:
        seconds: Longest wait; None to take the launcher's, or to wait for ever without a launcher.

    Attributes:
        waited_seconds: Time spent in `waiting_for` so far, in seconds.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.waited_seconds = 0.0
        given = os.environ.get(STALL_VARIABLE)
        self._seconds = seconds if seconds is not None else float(given) if given else None
        self._deadline: float | None = None
        self._what = ""
        self._thread_id = threading.get_ident()
        if self._seconds is not None:
            threading.Thread(target=self._watch, args=(self._seconds,), daemon=True).start()

    @contextlib.contextmanager
    def waiting_for(self, what: str) -> Iterator[None]:
        """Around a collective: if it lasts too long, this process ends and says what it waited for."""
        began = time.perf_counter()
        try:
            with self.watching(what):
                yield
        finally:
            self.waited_seconds += time.perf_counter() - began

    @contextlib.contextmanager
    def watching(self, what: str) -> Iterator[None]:
        """The same around work that has a collective in it, which does not count as time of waiting."""
        self._what = what
        self._deadline = time.monotonic() + self._seconds if self._seconds is not None else None
        try:
            yield
        finally:
            self._deadline = None

    def _watch(self, seconds: float) -> None:
        while True:
            time.sleep(min(1.0, seconds / 4))
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline:
                frame = sys._current_frames().get(self._thread_id)
                stack = "".join(traceback.format_stack(frame)) if frame else ""
                summary = f"waited more than {seconds:g} s for the other ranks in {self._what}"
                end_with_failure("collective", summary, f"where it waited:\n{stack}")


WATCH_MARGIN_SECONDS = 2.0
"""`watch_horovod` lets a `StallGuard` speak first: it knows what was waited for."""


def watch_horovod() -> None:
    """End this process when a thread waits in `horovod.torch.synchronize` longer than the launcher allows.

    All blocking operations of Horovod for PyTorch wait there, `hvd.join` excepted: a rank that has joined may
    rightly wait for the rest of the others' epoch.
    """
    given = os.environ.get(STALL_VARIABLE)
    if given is not None:
        threading.Thread(target=_watch_horovod, args=(float(given),), daemon=True).start()


def _watch_horovod(seconds: float) -> None:
    since: dict[tuple[int, int], float] = {}
    while True:
        time.sleep(min(1.0, seconds / 4))
        module = sys.modules.get("horovod.torch.mpi_ops")
        if module is None:
            continue
        now = time.monotonic()
        waits: dict[tuple[int, int], tuple[float, FrameType]] = {}
        for thread_id, frame in sys._current_frames().items():
            found = _wait_of(frame, str(module.__file__))
            if found is not None:
                waits[thread_id, found] = (since.get((thread_id, found), now), frame)
        since = {key: begin for key, (begin, _) in waits.items()}
        for key, begin in since.items():
            if now - begin > seconds + WATCH_MARGIN_SECONDS:
                stack = "".join(traceback.format_stack(waits[key][1]))
                summary = f"waited more than {seconds:g} s for the other ranks in a Horovod operation"
                end_with_failure("collective", summary, f"where it waited:\n{stack}")
        # No frame is kept over the pause: its tensors would live on.
        del waits, frame


def _wait_of(frame: FrameType | None, file: str) -> int | None:
    """The handle that a thread waits for, which Horovod never uses twice; None if it does not wait."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename == file and code.co_name == "synchronize":
            joined = frame.f_back is not None and frame.f_back.f_code.co_name == "join"
            handle = frame.f_locals.get("handle")
            return handle if isinstance(handle, int) and not joined else None
        frame = frame.f_back
    return None
