"""A Python worker after a task: no finder of an archive is left to be read again; archives still import."""

from __future__ import annotations

import importlib
import sys
import zipfile
import zipimport
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.worker import lasting


def test_archives_are_forgotten_when_a_task_ends_and_can_be_imported_from_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("ringlake_test_one.py", "value = 1")
        out.writestr("ringlake_test_two.py", "value = 2")
    monkeypatch.syspath_prepend(str(archive))
    batch = pa.record_batch({"n": [1]})

    def task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        assert importlib.import_module("ringlake_test_one").value == 1
        assert str(archive) in sys.path_importer_cache
        yield from batches

    assert list(lasting(task)([batch])) == [batch]
    finders = sys.path_importer_cache.values()
    assert not [finder for finder in finders if isinstance(finder, zipimport.zipimporter)]
    assert importlib.import_module("ringlake_test_two").value == 2
