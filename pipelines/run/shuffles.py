"""Bytes that a stage's shuffles wrote to the disks of the executors, as Spark counts them."""

from __future__ import annotations

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
