"""Files of shuffles that nothing refers to any more go when a stage has ended."""

from __future__ import annotations

import time

from pyspark.sql import SparkSession

from pipelines.run.shuffles import free_shuffles, shuffled_bytes


def shuffle_files(spark: SparkSession) -> int:
    environment = spark.sparkContext._jvm.org.apache.spark.SparkEnv  # type: ignore[union-attr]
    files = environment.get().blockManager().diskBlockManager().getAllFiles().mkString("\n")
    return str(files).count("/shuffle_")


def test_files_of_a_finished_query_go(spark: SparkSession) -> None:
    before = shuffled_bytes(spark)
    frame = spark.range(100_000).repartition(3, "id")
    assert frame.count() == 100_000
    assert frame.groupBy((frame.id % 7).alias("rest")).count().count() == 7
    there = shuffle_files(spark)
    assert there
    assert shuffled_bytes(spark) > before
    del frame
    free_shuffles(spark)
    deadline = time.monotonic() + 60
    while shuffle_files(spark) >= there and time.monotonic() < deadline:
        time.sleep(0.1)
    assert shuffle_files(spark) < there


def test_a_session_that_has_ended_has_nothing_to_free() -> None:
    class Gone:
        @property
        def sparkContext(self) -> None:
            raise ConnectionRefusedError

    free_shuffles(Gone())  # type: ignore[arg-type]
