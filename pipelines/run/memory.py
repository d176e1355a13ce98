"""Peak memory of the driver's process tree: the JVM, the Python workers and local training ranks in it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from pipelines.console.ticker import Ticker


class PeakMemory(Ticker):
    """Samples the memory of this process and its descendants while the block runs.

    Counted are the pages of each process that no file backs, and once the largest set of file-backed
    pages, since those (libraries, mapped data) are mostly the same ones. Pages that a fork shares are
    counted in each process, so the sum errs upwards. Reading them exactly (PSS) makes the kernel walk
    every page table, which took a tenth of a core on a Spark driver.

    Attributes:
        peak_mb: Largest sum seen, in MiB.
    """

    def __init__(self, interval: float = 1.0) -> None:
        super().__init__("peak-memory", interval)
        self.peak_mb = 0.0

    def __enter__(self) -> Self:
        self.tick()
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self.tick()

    def tick(self) -> None:
        """Take a sample."""
        sizes = [_size(process) for process in family(psutil.Process())]
        total = sum(own for own, _ in sizes) + max(shared for _, shared in sizes)
        self.peak_mb = max(self.peak_mb, total / 2**20)


def family(root: psutil.Process) -> list[psutil.Process]:
    """A process and all below it, without the copies that a JVM is for a moment when it starts a program.

    Such a child has the command line, and the memory, of its parent: counted, 6 GiB of heap became 12.
    """
    found = {root.pid: root}
    with contextlib.suppress(psutil.Error):
        found |= {process.pid: process for process in root.children(recursive=True)}
    return [process for process in found.values() if not _is_copy(process, found)]


def _is_copy(process: psutil.Process, others: Mapping[int, psutil.Process]) -> bool:
    with contextlib.suppress(psutil.Error):
        command = process.cmdline()
        parent = others.get(process.ppid())
        is_java = bool(command) and Path(command[0]).name.startswith("java")
        return is_java and parent is not None and parent.cmdline() == command
    return False


def _size(process: psutil.Process) -> tuple[int, int]:
    """Bytes that no file backs, and bytes that one does (0 where the system does not tell)."""
    with contextlib.suppress(psutil.Error):
        info = process.memory_info()
        shared = int(getattr(info, "shared", 0))
        return int(info.rss) - shared, shared
    return 0, 0
