"""Rows of one table by an SQL condition, through DataFusion: no JVM, an answer in a second."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from deltalake import QueryBuilder

from pipelines.errors import InputError
from pipelines.lake.catalog import Catalog
from pipelines.lake.paths import Lake


def query(
    lake: Lake, name: str, version: int | None, where: str | None, limit: int
) -> tuple[list[str], list[dict[str, Any]]]:
    """Column names and rows, in no promised order.

    Args:
        lake: The lake.
        name: Its table.
        version: None for the current one.
        where: An SQL condition, or None for all rows.
        limit: Most rows; 0 for all.

    Raises:
        InputError: There is no such table or version, or the condition is no valid SQL.
    """
    table = Catalog(lake).delta_table(name, version)
    sql = "SELECT * FROM t"
    if where is not None:
        sql += f" WHERE {where}"
    if limit:
        sql += f" LIMIT {limit}"
    try:
        result = pa.table(QueryBuilder().register("t", table).execute(sql).read_all())
    except Exception as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(
            f"table {name!r} cannot be queried WHERE {where}: {first}; "
            f"its columns: {', '.join(field.name for field in table.schema().fields)}"
        ) from error
    return result.column_names, result.to_pylist(maps_as_pydicts="strict")
