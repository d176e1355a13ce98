"""One DataFrame that carries the rows of several tables, so that they come from one computation.

A stage that sorts its input into tables (documents or quarantine, clean or rejected) must not compute
it once a table: the tables could disagree, and the work would be done twice. Each row here has the name
of its table and one struct column per table, all but one of them null.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from schemas.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

TAG = "table"

MAX_BATCH_BYTES = 16 * 2**20
MAX_BATCH_ROWS = 10_000


def tagged_schema(tables: Sequence[Table]) -> pa.Schema:
    """Arrow schema of tagged rows: the tag, then one nullable struct a table."""
    structs = [pa.field(table.name, _struct(table), nullable=True) for table in tables]
    return pa.schema([pa.field(TAG, pa.string(), nullable=False), *structs])


def tagged_spark_schema(tables: Sequence[Table]) -> StructType:
    """The same schema for Spark."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(tagged_schema(tables))


def untag(tagged: DataFrame, table: Table) -> DataFrame:
    """The rows of one table, with exactly its columns."""
    rows = tagged.where(tagged[TAG] == table.name)
    return rows.select(*[rows[table.name][name].alias(name) for name in table.column_names])


def tagged_batches(
    tables: Sequence[Table],
    table: Table,
    columns: Sequence[pa.Array],
    max_bytes: int = MAX_BATCH_BYTES,
    max_rows: int = MAX_BATCH_ROWS,
) -> Iterator[pa.RecordBatch]:
    """The rows of one table as record batches of bounded size.

    Args:
        tables: All tables of the stage.
        table: The table that the rows are of.
        columns: One array a column, in the order of the table's columns.
        max_bytes: About how much a batch may hold, if it has more than one row.
        max_rows: How many rows it may have.
    """
    schema, fields = tagged_schema(tables), table.arrow_schema()
    for start, stop in bounded(columns, max_bytes, max_rows):
        arrays = [column.slice(start, stop - start) for column in columns]
        yield _tagged_batch(schema, fields, table.name, arrays, stop - start)


def bounded(
    columns: Sequence[pa.Array], max_bytes: int = MAX_BATCH_BYTES, max_rows: int = MAX_BATCH_ROWS
) -> Iterator[tuple[int, int]]:
    """Rows from and to of parts that are small enough for a batch, all columns taken together.

    A long row beside many short ones counts where it stands: an average says nothing of it.

    Args:
        columns: Arrays of equal length.
        max_bytes: How much a part may hold, if it has more than one row.
        max_rows: How many rows it may have.
    """
    pending = [(0, len(columns[0]))]
    while pending:
        start, stop = pending.pop()
        length = stop - start
        num_bytes = sum(column.slice(start, length).nbytes for column in columns)
        if length > 1 and (length > max_rows or num_bytes > max_bytes):
            # Into as many parts as there would be if all rows were alike.
            step = max(1, min(max_rows, int(length * max_bytes / max(num_bytes, 1)), length - 1))
            pending += reversed([(first, min(first + step, stop)) for first in range(start, stop, step)])
        elif length:
            yield start, stop


def text_bytes(value: object) -> int:
    """About the bytes of the strings in a value, which may be a sequence of others, in UTF-8."""
    if isinstance(value, str):
        # Characters have up to four bytes; to encode them would cost more than their count is worth.
        return len(value) if value.isascii() else 4 * len(value)
    if isinstance(value, (tuple, list)):
        return sum(map(text_bytes, value))
    return 0


class TaggedRows:
    """Collects rows of several tables and hands them on as record batches of bounded size.

    Example:
        >>> from schemas.rejected import REJECTED
        >>> list(TaggedRows([REJECTED]).flush())
        []
    """

    def __init__(
        self, tables: Sequence[Table], max_bytes: int = MAX_BATCH_BYTES, max_rows: int = MAX_BATCH_ROWS
    ) -> None:
        self._tables = {table.name: table for table in tables}
        self._schema = tagged_schema(tables)
        self._max_bytes = max_bytes
        self._max_rows = max_rows
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._num_rows = 0
        self._num_bytes = 0
        self._clear()

    def add(self, table: str, row: tuple[Any, ...], num_bytes: int) -> None:
        """Takes one row, its values in the order of the table's columns.

        Args:
            table: Name of the table.
            row: One value a column.
            num_bytes: About how much memory the row takes, in bytes, all its columns together.
        """
        self._rows[table].append(row)
        self._num_rows += 1
        self._num_bytes += num_bytes

    def has_room(self, num_bytes: int) -> bool:
        """Whether a row of so many bytes still fits; if not, it is time to flush before it is added."""
        fits = self._num_bytes + num_bytes <= self._max_bytes and self._num_rows < self._max_rows
        return fits or not self._num_rows

    def flush(self) -> Iterator[pa.RecordBatch]:
        """The rows taken since the last flush: one batch for each table that has some."""
        collected = self._rows
        self._clear()
        for name, rows in collected.items():
            if rows:
                yield self._batch(name, rows)

    def _batch(self, name: str, rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
        fields = self._tables[name].arrow_schema()
        columns = zip(*rows, strict=True)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, fields, strict=True)]
        return _tagged_batch(self._schema, fields, name, arrays, len(rows))

    def _clear(self) -> None:
        self._rows = {name: [] for name in self._tables}
        self._num_rows = 0
        self._num_bytes = 0


def _tagged_batch(
    schema: pa.Schema, fields: pa.Schema, name: str, columns: Sequence[pa.Array], num_rows: int
) -> pa.RecordBatch:
    struct = pa.StructArray.from_arrays(columns, fields=list(fields))
    arrays = [
        pa.array([name] * num_rows, pa.string())
        if field.name == TAG
        else (struct if field.name == name else pa.nulls(num_rows, field.type))
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _struct(table: Table) -> pa.DataType:
    return pa.struct(list(table.arrow_schema()))
