"""A line that says that a stage is at work, where nothing else has said so for a while."""

from __future__ import annotations

import time

from pipelines.console.console import Console
from pipelines.console.ticker import Ticker

SILENCE_SECONDS = 3.0
"""Longest silence: longer than the pause between two lines of a stage that shows its own progress."""


class Heartbeat(Ticker):
    """Shows a stage's elapsed time whenever its console has been silent.

    Args:
        console: Where the stage's own lines go.
        stage: Its name.
        silence_seconds: Longest silence.
    """

    def __init__(self, console: Console, stage: str, silence_seconds: float = SILENCE_SECONDS) -> None:
        super().__init__(f"heartbeat-{stage}", silence_seconds / 4)
        self._console = console
        self._stage = stage
        self._silence = silence_seconds
        self._began = time.monotonic()

    def tick(self) -> None:
        """Say so if nobody has said anything."""
        if self._console.silent_for() >= self._silence:
            self._console.live(f"  {self._stage}: {time.monotonic() - self._began:.0f} s, at work")
