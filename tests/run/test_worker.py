"""A Python worker after a task: no finder of Spark's archives is left to be read again; they still import."""

from __future__ import annotations

import importlib
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from pipelines.worker import in_warm_worker, settle


def test_archives_are_forgotten_when_a_task_ends_and_can_be_imported_from_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, users = tmp_path / "pyspark.zip", tmp_path / "users.zip"
    with zipfile.ZipFile(own, "w") as out:
        out.writestr("ringlake_test_one.py", "value = 1")
        out.writestr("ringlake_test_two.py", "value = 2")
    with zipfile.ZipFile(users, "w") as out:
        out.writestr("ringlake_test_three.py", "value = 3")
    monkeypatch.syspath_prepend(str(users))
    monkeypatch.syspath_prepend(str(own))
    batch = pa.record_batch({"n": [1]})

    def task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        assert importlib.import_module("ringlake_test_one").value == 1
        assert importlib.import_module("ringlake_test_three").value == 3
        assert {str(own), str(users)} <= set(sys.path_importer_cache)
        yield from batches

    assert list(in_warm_worker(task)([batch])) == [batch]
    assert str(own) not in sys.path_importer_cache
    # What a user ships may change while the worker lives, and is looked at again as before.
    assert str(users) in sys.path_importer_cache
    assert importlib.import_module("ringlake_test_two").value == 2


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
    frame = spark.range(0, 6, 1, 6).mapInArrow(in_warm_worker(_look), SCHEMA)
    rows = frame.collect() + frame.collect()
    later = [row for row in rows if row["frozen"]]
    assert later
    assert {row["zips"] for row in rows} == {0}
    assert {row["imported"] for row in rows} == {"pyspark.join"}


def test_rows_pass_unchanged(spark: SparkSession) -> None:
    frame = spark.range(0, 100, 1, 3)
    assert sorted(row[0] for row in frame.mapInArrow(in_warm_worker(iter), "id long").collect()) == list(
        range(100)
    )
