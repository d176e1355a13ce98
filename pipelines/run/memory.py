"""Peak memory of the driver's process tree: the JVM, the Python workers and local training ranks in it."""

from __future__ import annotations

import contextlib
import sys
import threading
from types import TracebackType
from typing import Self

import psutil


class PeakMemory:
    """Samples the memory of this process and its descendants while the block runs.

    On Linux a page that several processes share is counted once (proportional set size), elsewhere
    the resident sizes are added up, which counts such pages several times.

    Attributes:
        peak_mb: Largest sum seen, in MiB.
    """

    def __init__(self, interval: float = 1.0) -> None:
        self.peak_mb = 0.0
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> Self:
        self._sample()
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
        self._sample()

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            self._sample()

    def _sample(self) -> None:
        me = psutil.Process()
        total = sum(_size(process) for process in [me, *me.children(recursive=True)])
        self.peak_mb = max(self.peak_mb, total / 2**20)


def _size(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        full = process.memory_full_info() if sys.platform.startswith("linux") else process.memory_info()
        return int(getattr(full, "pss", full.rss))
    return 0
