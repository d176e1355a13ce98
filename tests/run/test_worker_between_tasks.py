"""Workers between two tasks: less is done again, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import SparkSession

from pipelines.worker import lasting, settle

SCHEMA = "pid long, frozen long, zips long, imported string"


def _look(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    import gc
    import os
    import sys
    from zipimport import zipimporter

    frozen = gc.get_freeze_count()
    settle()
    zips = sum(isinstance(finder, zipimporter) for finder in sys.path_importer_cache.values())
    # A module of Spark that nothing else imports: the finder that is gone is made again.
    sys.modules.pop("pyspark.join", None)
    import pyspark.join

    for batch in batches:
        count = batch.num_rows
        yield pa.RecordBatch.from_pydict(
            {
                "pid": [os.getpid()] * count,
                "frozen": [frozen] * count,
                "zips": [zips] * count,
                "imported": [pyspark.join.__name__] * count,
            }
        )


def test_a_worker_that_had_a_task_is_ready_for_the_next(spark: SparkSession) -> None:
    frame = spark.range(0, 6, 1, 6).mapInArrow(lasting(_look), SCHEMA)
    rows = frame.collect() + frame.collect()
    later = [row for row in rows if row["frozen"]]
    assert later
    assert {row["zips"] for row in rows} == {0}
    assert {row["imported"] for row in rows} == {"pyspark.join"}


def test_rows_pass_unchanged(spark: SparkSession) -> None:
    frame = spark.range(0, 100, 1, 3)
    assert sorted(row[0] for row in frame.mapInArrow(lasting(iter), "id long").collect()) == list(range(100))
