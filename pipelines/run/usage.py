"""What a stage uses: CPU seconds, GPU seconds, bytes read and written."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from pipelines.run.memory import family
from ringlake.base.storage import Folder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

GPU_SECONDS = "gpu_seconds"
"""Under this key of a run's details ranks say how long they held a GPU, all together."""

_RANKS_READ = ("train", "evaluate")
"""Stages whose ranks read their table themselves, past Spark."""


@dataclass(frozen=True)
class Usage:
    """What a stage used, or a whole run.

    Attributes:
        cpu_seconds: CPU time of this process and all below it (JVM, Python workers, ranks of a local run);
            on a cluster besides the time for which its tasks held cores of executors.
        gpu_seconds: Time for which ranks held a GPU, all together.
        read_bytes: What Spark's tasks read as Spark counts it, of tables, files and persisted rows (these in
            their size in memory); input files; in training and evaluation the sequences as often as they
            were gone through.
        written_bytes: Size of the tables and files that it left; shuffles are not among them.
    """

    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.cpu_seconds + other.cpu_seconds,
            self.gpu_seconds + other.gpu_seconds,
            self.read_bytes + other.read_bytes,
            self.written_bytes + other.written_bytes,
        )


def tree_cpu_seconds() -> float:
    """CPU time of this process and all below it, since each began.

    A process that has ended is counted by the one that waited for it, so that the sum never forgets one.
    """
    total = 0.0
    for process in family(psutil.Process()):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
            total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def spark_totals(spark: SparkSession | None) -> tuple[float, int]:
    """Core seconds that tasks on executors of other processes held, and bytes that all tasks read.

    Both are since the session began and count executors that were lost. The tasks of a local Spark run within
    the tree of this process: they held nothing besides.
    """
    if spark is None:
        return 0.0, 0
    context: Any = spark.sparkContext
    executors = context._jsc.sc().statusStore().executorList(False)
    rows = [executors.apply(index) for index in range(executors.size())]
    read = sum(int(row.totalInputBytes()) for row in rows)
    if str(context.master).startswith("local"):
        return 0.0, read
    cores = int(context.getConf().get("spark.task.cpus", "1"))
    return sum(int(row.totalDuration()) for row in rows) / 1000 * cores, read


class UsageMeter:
    """Measures from its making on.

    Args:
        spark: The session if it has been started.
    """

    def __init__(self, spark: SparkSession | None) -> None:
        self._cpu = tree_cpu_seconds()
        self._cores, self._read = spark_totals(spark)

    def so_far(self, spark: SparkSession | None) -> tuple[float, int]:
        """CPU seconds and bytes that tasks read since then.

        Args:
            spark: The session if it has been started meanwhile.
        """
        cores, read = spark_totals(spark)
        cpu = max(0.0, tree_cpu_seconds() - self._cpu) + max(0.0, cores - self._cores)
        return round(cpu, 3), max(0, read - self._read)


def read_by_ranks(stage: str, table_bytes: int, details: Mapping[str, Any]) -> int:
    """Bytes that the ranks of a stage read of its table; 0 for a stage that has none.

    Args:
        stage: Its name.
        table_bytes: Size of the table.
        details: What it measured: passes over the table.
    """
    if stage not in _RANKS_READ:
        return 0
    passes = details.get("epochs", 1.0)
    return round(table_bytes * (passes if isinstance(passes, (int, float)) else 1.0))


def left_bytes(root: Folder, names: Mapping[str, str]) -> int:
    """Size of files and folders of a lake, by their names in it."""
    total = 0
    for name in names:
        with contextlib.suppress(OSError, ValueError):
            folder, _, last = name.rpartition("/")
            place = root.child(folder) if folder else root
            if place.child(last).is_folder():
                total += sum(file.num_bytes for file in place.child(last).find())
            else:
                total += place.size(last)
    return total
