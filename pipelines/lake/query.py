"""Rows of one table by an SQL condition, through DataFusion: no JVM, an answer in a second.

Tables that have names in a catalog are asked through Spark instead.

pyarrow's own scanner reads a Delta table too, but its threads call into Python for every file: a process
that ends soon after was seen to abort in 10 of 25 trials (deltalake 1.6.6, pyarrow 21). Nothing here uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.errors import InputError, RinglakeError
from pipelines.lake.catalog import Catalog
from pipelines.lake.paths import Lake
from pipelines.lake.plain_types import plain
from pipelines.lake.unreadable import told_of
from schemas.token_ids import flat_ids


def read_arrow(
    lake: Lake,
    name: str,
    columns: Sequence[str] | None = None,
    where: str | None = None,
    version: int | None = None,
    limit: int = 0,
) -> pa.Table:
    """Rows of a table in memory, in no promised order; token ids as lists of numbers.

    Args:
        lake: The lake.
        name: Its table.
        columns: The columns wanted; None for all.
        where: An SQL condition, or None for all rows.
        version: None for the current one.
        limit: Most rows; 0 for all.

    Raises:
        InputError: There is no such table or version, or the condition is no valid SQL.
    """
    with _asked(lake, name, columns, where, version, limit) as rows:
        found = plain(pa.table(rows.read_all()))
    if "input_ids" not in found.column_names:
        return found
    return _with_numbers(found, Catalog(lake).info(name, version).metadata.get("token_bytes"))


def stream_arrow(
    lake: Lake,
    name: str,
    columns: Sequence[str] | None = None,
    where: str | None = None,
    version: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of `read_arrow` batch by batch, of which a few are in memory at a time.

    Args and errors are those of `read_arrow`; a condition that is no SQL is told at the first batch.
    """
    size = Catalog(lake).info(name, version).metadata.get("token_bytes")
    with _asked(lake, name, columns, where, version, 0) as rows:
        for batch in rows:
            yield from _with_numbers(plain(pa.table(pa.record_batch(batch))), size).to_batches()


@contextmanager
def _asked(
    lake: Lake,
    name: str,
    columns: Sequence[str] | None,
    where: str | None,
    version: int | None,
    limit: int,
) -> Iterator[Any]:
    """The answer to a question, a reader of batches; what goes wrong meanwhile is told as the user's."""
    catalog = Catalog(lake)
    wanted = "*" if columns is None else ", ".join(_quoted(column) for column in columns)
    sql = f"SELECT {wanted} FROM t"  # noqa: S608 - column names are quoted, the condition is the user's own
    if where is not None:
        sql += f" WHERE {where}"
    if limit:
        sql += f" LIMIT {limit}"
    try:
        yield catalog.ask(sql, {"t": (name, version)})
    except (RinglakeError, MemoryError):
        raise
    except Exception as error:
        first = str(error).strip().splitlines()[0]
        condition = "" if where is None else f" WHERE {where}"
        raise InputError(
            f"table {name!r} cannot be queried{condition}: {first}; "
            f"its columns: {', '.join(catalog.columns(name, version))}"
        ) from error


def _with_numbers(found: pa.Table, size: int | None) -> pa.Table:
    """The rows with `input_ids`, where there are any of a known size, as numbers instead of bytes."""
    if "input_ids" not in found.column_names or size not in (2, 4):
        return found
    place = found.schema.get_field_index("input_ids")
    column = found.column(place).cast(pa.binary()).combine_chunks()
    ids, lengths = flat_ids(column, size)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(ids))
    return found.set_column(place, "input_ids", lists)


def query(
    lake: Lake,
    name: str,
    version: int | None,
    where: str | None,
    limit: int,
    columns: Sequence[str] | None = None,
) -> tuple[list[str], list[dict[str, Any]]]:
    """Column names and rows as Python values; arguments and errors as for `read_arrow`."""
    result = read_arrow(lake, name, columns, where=where, version=version, limit=limit)
    return result.column_names, result.to_pylist(maps_as_pydicts="strict")


def read_sql(lake: Lake, sql: str, versions: Mapping[str, int]) -> list[dict[str, Any]]:
    """The result of a query over some tables, for sums and counts: it is held in memory.

    Args:
        lake: The lake.
        sql: SQL that DataFusion and Spark both take; the tables are called by their names.
        versions: Version of each table that it names.
    """
    with told_of(lake, ", ".join(versions)):
        answer = Catalog(lake).ask(sql, {name: (name, version) for name, version in versions.items()})
        return list(pa.table(answer.read_all()).to_pylist(maps_as_pydicts="strict"))


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
