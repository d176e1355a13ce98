"""Files of a table rewritten where they lie: every version that has them has the new content.

Delta never does so. It is done here where content has to be gone from all versions, and versions, paths and
numbers of rows must stay, because trainings are pinned to them. Who calls holds the lake's lock, and calls
`correct_log` behind it: size and statistics of the files are in the table's log.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.errors import InputError
from pipelines.lake.lookup import leaf
from pipelines.lake.paths import Lake
from pipelines.lake.unreadable import in_one_line
from ringlake.base.storage import Folder, arrow_filesystem

LOG = "_delta_log"

Change = Callable[[pa.Table], pa.Table]
"""Gives a row group as it is to be."""


def data_files(lake: Lake, name: str) -> list[str]:
    """Every Parquet file below a table's folder, in whatever version or in none, relative to it, sorted."""
    return [path for path in lake.tables.child(name).all_files() if is_data(path)]


def is_data(path: str) -> bool:
    """Whether a path below a table's folder is of a file with rows, and none that is half written."""
    return path.endswith(".parquet") and not path.startswith(f"{LOG}/") and "/." not in f"/{path}"


def leftovers(lake: Lake, name: str) -> list[str]:
    """What writers that were killed left half written below a table's folder."""
    return [
        path
        for path in lake.tables.child(name).all_files()
        if path.endswith(".tmp") or "/_temporary/" in f"/{path}"
    ]


@contextlib.contextmanager
def opened(folder: Folder, path: str) -> Iterator[pq.ParquetFile]:
    """A Parquet file below a folder.

    Raises:
        InputError: It is damaged.
        FileNotFoundError: It is gone.
    """
    filesystem, place = arrow_filesystem(f"{folder.location.rstrip('/')}/{path}")
    try:
        with filesystem.open_input_file(place) as stream, pq.ParquetFile(stream) as file:
            yield file
    except pa.ArrowInvalid as error:
        raise InputError(f"{folder.location}/{path} cannot be read: {in_one_line(error)}") from error


def rewrite(folder: Folder, path: str, change: Change) -> None:
    """Rewrites a file group by group under its own name; a reader, or a crash, sees the old one or the new.

    Order of rows, row groups, codec, dictionaries and the columns that have statistics stay as they are.
    """
    place, name = split(folder, path)
    with opened(folder, path) as file:
        schema, options = file.schema_arrow, _options(file.metadata)
        drop_checksum(place, name)
        with place.replacing(name) as stream, pq.ParquetWriter(stream, schema, **options) as writer:
            for number in range(file.num_row_groups):
                group = file.read_row_group(number)
                changed = change(group)
                if changed.num_rows:
                    writer.write_table(changed.cast(schema), row_group_size=changed.num_rows)


def split(folder: Folder, path: str) -> tuple[Folder, str]:
    """The folder that a file lies in, and its name there."""
    parent, _, name = path.rpartition("/")
    return (folder.child(parent) if parent else folder), name


def drop_checksum(place: Folder, name: str) -> None:
    """Removes the file with Hadoop's checksums of another one, which would be wrong once that is changed."""
    place.delete(f".{name}.crc")


def delete(folder: Folder, path: str) -> None:
    """Deletes a file below a folder, and its checksums; no error if it is not there."""
    place, name = split(folder, path)
    drop_checksum(place, name)
    place.delete(name)


def _options(metadata: pq.FileMetaData) -> dict[str, Any]:
    """How a file was written, as far as readers go by it."""
    if not metadata.num_row_groups:
        return {"store_schema": False}
    group = metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    codec = columns[0].compression.lower()
    return {
        "compression": "none" if codec == "uncompressed" else codec,
        "use_dictionary": _named(
            columns, lambda column: any("DICTIONARY" in each for each in column.encodings)
        ),
        # Of texts and token ids the least and greatest would stand whole in the footer.
        "write_statistics": _named(
            columns, lambda column: column.is_stats_set and column.physical_type != "BYTE_ARRAY"
        ),
        "store_schema": False,
    }


def _named(columns: Sequence[Any], wanted: Callable[[Any], bool]) -> list[str]:
    return [column.path_in_schema for column in columns if wanted(column)]


def rows_with(folder: Folder, path: str, key: str, values: Collection[str]) -> int:
    """How many rows of a file have one of some values.

    Args:
        folder: The table's folder.
        path: The file.
        key: A column of texts; `a.b` is the field b of the structs in the list a, of which one has to fit.
        values: What it may be.
    """
    wanted, count = pa.array(list(values), pa.string()), 0
    with opened(folder, path) as file:
        read = leaf(file, key)
        for number in range(file.num_row_groups):
            table = file.read_row_group(number, columns=[read])
            count += int(pc.sum(having(table, key, wanted)).as_py() or 0)
    return count


def having(table: pa.Table, key: str, wanted: pa.Array) -> pa.Array:
    """For each row of a table whether it has one of some values, see `rows_with`."""
    outer, _, inner = key.partition(".")
    column = table.column(outer).combine_chunks()
    if not inner:
        return pc.fill_null(pc.is_in(column, value_set=wanted.cast(column.type)), False)
    rows = pc.list_parent_indices(column)
    fits = pc.fill_null(pc.is_in(pc.struct_field(pc.list_flatten(column), [inner]), value_set=wanted), False)
    found = np.zeros(len(column), bool)
    found[rows.filter(fits).to_numpy()] = True
    return pa.array(found)


def read_rows(
    folder: Folder, path: str, key: str, values: Collection[str], columns: Sequence[str]
) -> list[dict[str, Any]]:
    """Some columns of the rows of a file that have one of some values, see `rows_with`."""
    wanted, found = pa.array(list(values), pa.string()), []
    with opened(folder, path) as file:
        for number in range(file.num_row_groups):
            table = file.read_row_group(number, columns=[key, *columns])
            found += table.filter(having(table, key, wanted)).select(list(columns)).to_pylist()
    return found
