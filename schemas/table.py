"""The definition of a table: columns with Arrow types, from which the Spark schema follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql.types import StructType


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Column name, in snake case.
        type: Arrow type; only types that Delta can store (no unsigned integers).
        meaning: One sentence for people: what the value says and its unit.
        nullable: Whether a row may lack it.
    """

    name: str
    type: pa.DataType
    meaning: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    Attributes:
        name: Name of the table and of its folder below ``LAKE/tables``.
        meaning: One sentence: what a row is.
        columns: The columns in order.
        key: Names of the columns that together identify a row.
        partition_by: Columns whose values become folders instead of file content.
        after: Name of the table that it follows where tables are listed; empty: it is the first.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: tuple[str, ...] = ()
    after: str = ""

    def __post_init__(self) -> None:
        names = self.column_names
        if len(set(names)) != len(names):
            raise ValueError(f"table {self.name!r} names a column twice: {names}")
        unknown = [name for name in (*self.key, *self.partition_by) if name not in names]
        if unknown:
            raise ValueError(f"table {self.name!r}: key or partition columns {unknown} are not among {names}")

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column called ``name``; KeyError with the known names if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name!r} has no column {name!r}; it has {self.column_names}")

    def arrow_schema(self) -> pa.Schema:
        """The schema for Arrow."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])

    def spark_schema(self) -> StructType:
        """The same schema for Spark (imported here, so that a rank needs no Spark)."""
        from pyspark.sql.pandas.types import from_arrow_schema

        return from_arrow_schema(self.arrow_schema())
