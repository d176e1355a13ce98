"""The rank processes that a test has started."""

from __future__ import annotations

import psutil


def ranks_of_this_process() -> list[psutil.Process]:
    """Rank processes below this one that run, in the order of their pids."""
    return sorted(filter(_is_rank, psutil.Process().children(recursive=True)), key=lambda one: one.pid)


def _is_rank(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "training.launch.worker" in process.cmdline()
    except psutil.NoSuchProcess:  # gone, or waiting for a parent that does not ask for it
        return False
