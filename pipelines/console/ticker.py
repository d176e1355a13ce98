"""Something that happens every so many seconds, in a thread of its own, while a block runs."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Ticker(ABC):
    """A context manager that calls `tick` at an interval until its block ends.

    Args:
        name: Name of the thread.
        interval: Seconds between two calls.
    """

    def __init__(self, name: str, interval: float) -> None:
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=name, daemon=True)

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

    @abstractmethod
    def tick(self) -> None:
        """What happens each time."""

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            self.tick()
