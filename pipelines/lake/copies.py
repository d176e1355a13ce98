"""Copies of pinned tables that have names, as Parquet files below the lake's folder: what ranks can read.

A catalog gives the files of its tables to Spark's own readers only, and ranks read Parquet by path. So a
version that is trained on is copied once, in the order and the row groups that training reads, without the
columns that it does not. A copy is there once its list of files is, which is written last and at once. Of
each partition of a table the newest copies are kept.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from ringlake.base.storage import Folder, arrow_filesystem
from training.data.snapshot import DataFile

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

KEPT = 2
"""Copies of a partition of a table that are kept: that of a training which still runs, and the next one."""

_GROUPS_OF_FILE = 32
"""Row groups of a file at most: as many as packing's own default has."""

_LIST = re.compile(r"(?P<of>.+)-v(?P<version>\d+)\.json", re.DOTALL)


class Copies:
    """The copies below the folder of a lake."""

    def __init__(self, root: Folder) -> None:
        self._folder = root.child("copies")

    def name(self, table: str, table_id: str, version: int, partition: dict[str, str]) -> str:
        """What the copy of a partition of a version is called."""
        values = "".join(f"-{value}" for _, value in sorted(partition.items()))
        return f"{table}-{table_id[:8]}{values}-v{version}"

    def find(self, name: str) -> tuple[DataFile, ...] | None:
        """The files of a copy, None if there is none that is whole."""
        listed = f"{name}.json"
        if not self._folder.exists(listed):
            return None
        try:
            value = json.loads(self._folder.read(listed))
            folder = self._folder.child(str(value["folder"]))
            return tuple(DataFile(f"{folder.location}/{file}", int(rows)) for file, rows in value["files"])
        except (ValueError, KeyError, TypeError):
            return None

    def make(
        self, name: str, frame: DataFrame, order: str | None, noted: Mapping[str, Any]
    ) -> tuple[DataFile, ...]:
        """Writes a copy.

        Args:
            name: What it is called.
            frame: Its rows.
            order: Column of the numbers 0 to n-1 by which they are to lie; None: as Spark writes them.
            noted: What was noted with the commit that wrote them: `rows_per_group` are the rows of a row
                group, `sequence_length` the tokens of a row. Without them Parquet has its own limits.
        """
        folder = self._folder.child(f"{name}-{uuid.uuid4().hex[:8]}")
        self._folder.create()
        options: dict[str, str] = {}
        rows_per_group = int(noted.get("rows_per_group") or 0)
        if order is not None and rows_per_group:
            length = int(noted.get("sequence_length") or 0)
            rows_per_file = rows_per_group * _GROUPS_OF_FILE
            frame = _in_order(frame, order, rows_per_file)
            options = {
                "parquet.block.row.count.limit": str(rows_per_group),
                "parquet.block.size": str(max(128 * 2**20, 16 * rows_per_group * length)),
                "parquet.enable.dictionary#input_ids": "false",
                "parquet.statistics.truncate.length": "64",
                "maxRecordsPerFile": "0",
            }
        place = f"file://{folder.location}" if folder.is_local else folder.location
        frame.write.options(**options).parquet(place)
        files = [(file, _rows(folder, file)) for file in folder.names() if file.endswith(".parquet")]
        self._folder.replace(f"{name}.json", json.dumps({"folder": _last(folder), "files": files}).encode())
        self._forget(name)
        return tuple(DataFile(f"{folder.location}/{file}", rows) for file, rows in files)

    def _forget(self, newest: str) -> None:
        """Removes all but the newest copies of what a copy is of."""
        match = _LIST.fullmatch(f"{newest}.json")
        assert match is not None
        names = self._folder.names()
        lists = [found for name in names if (found := _LIST.fullmatch(name)) and found["of"] == match["of"]]
        lists.sort(key=lambda found: int(found["version"]))
        for found in lists[:-KEPT]:
            if found[0] == f"{newest}.json":
                continue  # of an old version, and wanted now
            files: Any = json.loads(self._folder.read(found[0]))
            self._folder.delete(found[0])
            self._folder.child(str(files["folder"])).remove()


def _in_order(frame: DataFrame, order: str, rows_per_file: int) -> DataFrame:
    """The rows in files of consecutive numbers."""
    from pyspark.sql import functions as F

    most = frame.agg(F.max(order)).first()
    files = 1 if most is None or most[0] is None else int(most[0]) // rows_per_file + 1
    # Ranges of equal length by the number itself: no sample of the rows is taken to part them. One task may
    # get two of them; row groups begin at multiples of their rows all the same.
    number = F.floor(F.col(order) / F.lit(rows_per_file))
    return frame.repartition(files, number.cast("int")).sortWithinPartitions(order)


def _rows(folder: Folder, file: str) -> int:
    filesystem, path = arrow_filesystem(f"{folder.location}/{file}")
    with filesystem.open_input_file(path) as handle:
        return int(pq.read_metadata(handle).num_rows)


def _last(folder: Folder) -> str:
    return folder.location.rsplit("/", 1)[-1]
