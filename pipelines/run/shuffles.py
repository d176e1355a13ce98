"""The files of a stage's shuffles on the disks of the executors: their bytes, and when they go."""

from __future__ import annotations

import contextlib
import gc
from typing import Any

from pyspark.sql import SparkSession


def shuffled_bytes(spark: SparkSession | None) -> int:
    """Bytes that all executors, lost ones included, have written for shuffles since the session began.

    Args:
        spark: The session; None: none was started, nothing was shuffled.
    """
    if spark is None:
        return 0
    context: Any = spark.sparkContext._jsc
    executors = context.sc().statusStore().executorList(False)
    return sum(int(executors.apply(index).totalShuffleWrite()) for index in range(executors.size()))


def free_shuffles(spark: SparkSession) -> None:
    """Lets Spark delete the files of shuffles that nothing refers to any more.

    Spark deletes them once the JVM has collected the last reference, which may be hours later: those of
    `dedup`, five bytes for each of input, had lain there until packing. (It can also delete them when a
    query ends, `spark.sql.classic.shuffleDependency.fileCleanup.enabled`; with that a query of our tests
    failed once, whose tasks registered their output after it was gone.)
    """
    with contextlib.suppress(Exception):  # a JVM that is gone holds nothing
        # Spark's scheduler holds what belongs to its last job, and a frame here holds one there.
        spark.range(0, 1, 1, 1).count()
        gc.collect()
        context: Any = spark.sparkContext
        context._jvm.java.lang.System.gc()
