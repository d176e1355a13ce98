"""A line that says that a stage is at work, where nothing else has said so for a while."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from pipelines.run.console import Console

SILENCE_SECONDS = 3.0
"""Longest silence: longer than the pause between two lines of a stage that shows its own progress."""


class Heartbeat:
    """Shows a stage's elapsed time whenever its console has been silent.

    Args:
        console: Where the stage's own lines go.
        stage: Its name.
        silence_seconds: Longest silence.
    """

    def __init__(self, console: Console, stage: str, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._console = console
        self._stage = stage
        self._silence = silence_seconds
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"heartbeat-{stage}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._silence / 4):
            if self._console.silent_for() >= self._silence:
                self._console.live(f"  {self._stage}: {time.monotonic() - self._began:.0f} s, at work")
