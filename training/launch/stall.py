"""Ends a rank whose collective waits too long.

Horovod has a stall check of its own (HOROVOD_STALL_SHUTDOWN_TIME_SECONDS), but version 0.28.1 over Gloo was
seen to wait on: a rank slept, the other waited, and neither warning nor shutdown came. This one needs no
help from Horovod: a thread that looks at the clock.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator

from training.launch.events import end_with_failure

STALL_VARIABLE = "RINGLAKE_STALL_SECONDS"
"""Set by the launcher: the longest time that a collective may wait, in seconds."""


class StallGuard:
    """Watches one wait at a time, always the same thread's.

    Args:
        seconds: Longest wait; None to take the launcher's, or to wait for ever without a launcher.
    """

    def __init__(self, seconds: float | None = None) -> None:
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
