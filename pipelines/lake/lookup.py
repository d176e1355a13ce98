"""Few rows of a large table by the values of one column, in every version that is kept: no JVM.

The column is read alone, and of the row groups that have such a value the others. A file that several
versions share is looked through once.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.errors import InputError
from pipelines.lake.catalog import Catalog
from pipelines.lake.paths import Lake
from pipelines.lake.query import read_arrow
from pipelines.lake.unreadable import in_one_line
from ringlake.base.storage import arrow_filesystem

_THREADS = 4
"""Files looked through at once: each holds a column of one row group."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class FoundRow:
    """A row and where it is.

    Attributes:
        versions: Versions of the table that have it, ascending.
        row: Its columns.
    """

    versions: tuple[int, ...]
    row: dict[str, Any]


def find_rows(
    lake: Lake,
    name: str,
    key: str,
    values: Collection[Any],
    columns: Sequence[str],
    version: int | None = None,
    partition: dict[str, str] | None = None,
) -> Rows:
    """The rows of one version whose key is one of some values, in no promised order.

    Args:
        lake: The lake.
        name: Its table.
        key: Column that is compared; `a.b` is the field b of the structs in the list a, of which one has to
            fit.
        values: What it may be.
        columns: Columns of the rows; those that the table lacks are left out.
        version: None: the current one.
        partition: Values of partition columns.

    Raises:
        InputError: There is no such table or version, or its files are gone.
    """
    catalog = Catalog(lake)
    info = catalog.info(name, version)
    if catalog.through_spark or catalog.deletion_vectors(name, info.version):
        return _by_query(lake, name, key, values, columns, info.version, partition or {})
    paths = [file.path for file in catalog.active_files(name, info.version, partition or {})]
    found: Rows = []
    for path, rows in _look_through(paths, key, values, columns):
        if rows is None:
            raise InputError(
                f"version {info.version} of table {name!r} of the lake {lake.location} cannot be read any "
                f"more: its file {path} is gone (VACUUM removes the files of old versions)"
            )
        found += [row | (partition or {}) for row in rows]
    return found


def find_everywhere(
    lake: Lake, name: str, key: str, values: Collection[Any], columns: Sequence[str]
) -> list[FoundRow]:
    """The rows of all versions that are kept, the newest content of a row first; see `find_rows`.

    Versions whose files are gone, or of which the log says nothing any more, have no rows.
    """
    catalog = Catalog(lake)
    files: dict[str, list[int]] = {}
    found: list[FoundRow] = []
    for version in sorted(number for number, _, _ in catalog.commits(name)):
        try:
            paths, vectors = ([], 0) if catalog.through_spark else catalog.files_and_vectors(name, version)
            if vectors or catalog.through_spark:
                rows = _by_query(lake, name, key, values, columns, version, {})
                found += [FoundRow((version,), row) for row in rows]
                continue
        except InputError:
            continue
        for path in paths:
            files.setdefault(path, []).append(version)
    for path, in_file in _look_through(list(files), key, values, columns):
        found += [FoundRow(tuple(files[path]), row) for row in in_file or []]
    return sorted(_joined(found), key=lambda item: item.versions[-1], reverse=True)


def columns_of(lake: Lake, name: str, version: int | None = None) -> list[str]:
    """Names of the columns of a table."""
    return Catalog(lake).columns(name, version)


def leaf(file: pq.ParquetFile, key: str) -> str:
    """The Parquet column of a key; in between a list of structs has levels that each writer names in its way.

    Args:
        file: The file.
        key: A column; `a.b` is the field b of the structs in the list a.
    """
    outer, _, inner = key.partition(".")
    if not inner:
        return outer
    columns: Iterator[str] = (file.schema.column(number).path for number in range(len(file.schema.names)))
    return next(path for path in columns if path.startswith(f"{outer}.") and path.endswith(f".{inner}"))


def _joined(found: Sequence[FoundRow]) -> list[FoundRow]:
    """Equal rows of several files, as a rewrite without a change leaves them, as one."""
    together: dict[str, tuple[set[int], dict[str, Any]]] = {}
    for item in found:
        versions, _ = together.setdefault(repr(sorted(item.row.items())), (set(), item.row))
        versions.update(item.versions)
    return [FoundRow(tuple(sorted(versions)), row) for versions, row in together.values()]


def _look_through(
    paths: Sequence[str], key: str, values: Collection[Any], columns: Sequence[str]
) -> Iterator[tuple[str, Rows | None]]:
    """For each file its rows; None: it is gone."""
    stop = threading.Event()
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            yield from zip(
                paths, pool.map(lambda path: _rows_of(path, key, values, columns, stop), paths), strict=True
            )
        finally:
            stop.set()


def _rows_of(
    path: str, key: str, values: Collection[Any], columns: Sequence[str], stop: threading.Event
) -> Rows | None:
    filesystem, place = arrow_filesystem(path)
    outer, _, inner = key.partition(".")
    found: Rows = []
    try:
        with filesystem.open_input_file(place) as stream, pq.ParquetFile(stream) as file:
            names = [name for name in columns if name in file.schema_arrow.names]
            wanted = pa.array(list(values), _type_of(file.schema_arrow, outer, inner))
            read = leaf(file, key)
            for number in range(file.num_row_groups):
                if stop.is_set():
                    return found
                column = file.read_row_group(number, columns=[read], use_threads=False).column(0)
                places = _places(column.combine_chunks(), inner, wanted)
                if len(places):
                    group = file.read_row_group(number, columns=names, use_threads=False)
                    found += group.take(places).to_pylist(maps_as_pydicts="lossy")
    except FileNotFoundError:
        return None
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise InputError(f"{path} cannot be read: {in_one_line(error)}") from error
    return found


def _type_of(schema: pa.Schema, outer: str, inner: str) -> pa.DataType:
    found = schema.field(outer).type
    return found.value_type.field(inner).type if inner else found


def _places(column: pa.Array, inner: str, wanted: pa.Array) -> pa.Array:
    """Rows whose value is wanted, ascending."""
    if not inner:
        return pc.indices_nonzero(pc.fill_null(pc.is_in(column, value_set=wanted), False))
    rows = pc.list_parent_indices(column)
    fits = pc.fill_null(pc.is_in(pc.struct_field(pc.list_flatten(column), [inner]), value_set=wanted), False)
    return pc.unique(rows.filter(fits))


def _by_query(
    lake: Lake,
    name: str,
    key: str,
    values: Collection[Any],
    columns: Sequence[str],
    version: int,
    partition: dict[str, str],
) -> Rows:
    """The same of a version with deletion vectors, or of a table with a name: by a reader of Delta."""
    catalog = Catalog(lake)
    there = catalog.columns(name, version)
    outer, _, inner = key.partition(".")
    conditions = [f'"{column}" = {catalog.text(value)}' for column, value in partition.items()]
    listed = ", ".join(catalog.text(value) if isinstance(value, str) else str(int(value)) for value in values)
    if not inner:
        conditions.append(f'"{outer}" IN ({listed})')
    elif (within := catalog.any_within(outer, inner, listed)) is not None:
        conditions.append(within)
    names = [column for column in columns if column in there]
    found = read_arrow(lake, name, sorted({*names, outer}), " AND ".join(conditions) or None, version)
    rows: Rows = found.to_pylist(maps_as_pydicts="lossy")
    if inner:
        wanted = set(values)
        rows = [row for row in rows if any(item[inner] in wanted for item in row[outer] or [])]
    return [{column: row[column] for column in names} for row in rows]
