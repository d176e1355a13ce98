"""What a run takes of its machine: the JVM's heap, the memory of Python workers, partitions of shuffles.

None of it changes a result. Sizes are bytes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil

from conf.spark import SparkConfig
from pipelines.errors import EnvironmentProblem

GIB, MIB = 2**30, 2**20

HEAP_SHARE = 0.25
"""Share of a machine's memory that the JVM of a local run may use as heap: the rest is for Python workers,
for training ranks, and for the system's cache of the files that shuffles write."""

LEAST_HEAP, MOST_HEAP = 1 * GIB, 31 * GIB
"""Below the first Spark refuses or crawls; above the second the JVM's pointers take twice the room."""

WORKER_SHARE = 0.5
"""Share of a machine's memory that all Python workers of a local run may have as address space."""

LEAST_WORKER = 3 * GIB
"""Address space of a Python worker: with the libraries of cleaning it has 2.0 GiB, 0.2 of them in memory."""

STORED_TO_TEXT = 3
"""Bytes of text for each stored byte of a table: Parquet of documentation, news and code has 2 to 3."""

PARTS_OF_TASK_MEMORY = 16
"""A partition is planned for this part of what a task may use: rows with keys of duplicates take up to three
times the bytes of short texts, and Spark sorts in memory what fits half of a task's share."""

LEAST_PARTITION, MOST_PARTITION = 32 * MIB, 512 * MIB
"""Smaller partitions cost more to start than to work on; larger ones take too long to repeat."""

MOST_PARTITIONS = 100_000
"""With more the driver's books of shuffled blocks would outgrow their use: partitions get larger instead."""

_UNIFIED_SHARE, _RESERVED = 0.6, 300 * MIB
"""What Spark's memory manager has of a heap (spark.memory.fraction, and what it sets aside before)."""


def machine_memory() -> int:
    """Memory of this machine, or of the container around this process if that is less."""
    found = [int(psutil.virtual_memory().total)]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            found.append(int(Path(name).read_text(encoding="ascii")))
    return min(found)


def driver_heap(config: SparkConfig, memory: int | None = None) -> int:
    """Heap of the driver's JVM: as configured, or a quarter of the machine's memory.

    Where executors have machines of their own the driver plans and keeps books: 4 GiB at most then.
    """
    if config.driver_memory != "auto":
        return parse_size(config.driver_memory)
    share = int((machine_memory() if memory is None else memory) * HEAP_SHARE)
    most = MOST_HEAP if config.master.startswith("local") and "cluster" not in config.master else 4 * GIB
    return max(LEAST_HEAP, min(share, most)) // MIB * MIB


def worker_memory(config: SparkConfig, slots: int, memory: int | None = None) -> int | None:
    """Address space of one Python worker, None for no limit.

    Args:
        config: Where the job runs.
        slots: Tasks that run at once.
        memory: Memory of the machine; None: this one's.
    """
    if config.worker_memory == "auto":
        if not config.master.startswith("local") or config.master.startswith("local-cluster"):
            return None
        share = (machine_memory() if memory is None else memory) * WORKER_SHARE
        return max(LEAST_WORKER, int(share / max(slots, 1))) // MIB * MIB
    return parse_size(config.worker_memory)


def partition_bytes(heap: int, slots: int) -> int:
    """Bytes of text that a partition of a shuffle is planned for.

    Args:
        heap: Heap of the JVM that runs tasks.
        slots: Tasks that run in it at once.
    """
    task = max(heap - _RESERVED, 0) * _UNIFIED_SHARE / max(slots, 1)
    return int(min(max(task / PARTS_OF_TASK_MEMORY, LEAST_PARTITION), MOST_PARTITION))


def shuffle_partitions(text_bytes: int, slots: int, target: int) -> int:
    """Partitions of the shuffles of a stage.

    Args:
        text_bytes: Bytes of text that the stage reads.
        slots: Tasks that run at once in the whole cluster.
        target: What `partition_bytes` said.

    Returns:
        As many as the bytes fill, never fewer than two a slot and four, nor more than `MOST_PARTITIONS`.
    """
    return min(MOST_PARTITIONS, max(4, 2 * slots, -(-text_bytes // target)))


def parse_size(text: str) -> int:
    """Bytes of a size as Spark writes it: 512m, 3g, 3072 (MiB where no unit is named)."""
    units = {"k": 2**10, "m": MIB, "g": GIB, "t": 2**40}
    word = text.strip().lower().removesuffix("b")
    try:
        if word[-1:] in units:
            return int(float(word[:-1]) * units[word[-1]])
        return int(word) * MIB
    except ValueError:
        raise EnvironmentProblem(
            f"{text!r} is no size in memory; write it as Spark does, e.g. 512m or 3g"
        ) from None


def local_cores(master: str) -> int:
    """Task slots of a local master: local, local[N], local[*], local[N,F], local-cluster[W,C,M]."""
    inside = master[master.index("[") + 1 : master.rindex("]")].split(",") if "[" in master else ["1"]
    if master.startswith("local-cluster"):
        return int(inside[0]) * int(inside[1])
    return (os.cpu_count() or 1) if inside[0].strip() == "*" else int(inside[0])
