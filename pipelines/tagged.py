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
    num_rows = len(columns[0])
    row_bytes = sum(column.nbytes for column in columns) / max(num_rows, 1)
    step = max(1, min(max_rows, int(max_bytes / max(row_bytes, 1.0))))
    for start in range(0, num_rows, step):
        arrays = [column.slice(start, step) for column in columns]
        yield _tagged_batch(schema, fields, table.name, arrays, len(arrays[0]))


class TaggedRows:
    """Collects rows of several tables and hands them on as record batches of bounded size.

    Example:
        >>> from schemas import REJECTED
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
            num_bytes: About how much memory the row takes, in bytes.
        """
        self._rows[table].append(row)
        self._num_rows += 1
        self._num_bytes += num_bytes

    @property
    def is_full(self) -> bool:
        """Whether it is time to flush."""
        return self._num_bytes >= self._max_bytes or self._num_rows >= self._max_rows

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
