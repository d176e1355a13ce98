"""Reading and writing the tables with Spark: pinned versions in, one atomic commit out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipelines.lake.catalog import Catalog
from pipelines.lake.paths import Lake
from schemas import TABLES, Table


def read_table(spark: SparkSession, lake: Lake, name: str, version: int | None = None) -> DataFrame:
    """A table at a version (None: the current one); InputError if it does not exist.

    A column that may be null and that the table lacks, as another release wrote it, is null in every row.
    """
    catalog = Catalog(lake)
    frame = catalog.frame(spark, name, catalog.info(name, version).version)
    types = {field.name: field.dataType for field in TABLES[name].spark_schema().fields}
    lacking = [column.name for column in TABLES[name].columns if column.nullable]
    return frame.withColumns(
        {column: F.lit(None).cast(types[column]) for column in lacking if column not in frame.columns}
    )


def write_table(
    spark: SparkSession,
    lake: Lake,
    table: str | Table,
    frame: DataFrame,
    metadata: Mapping[str, Any],
    settings: Mapping[str, str] | None = None,
    where: str | None = None,
) -> int:
    """Replaces the content of a table, or a part of it, in one commit and returns the new version.

    The frame must have the columns of the table's schema; they are cast to its types, and a null in
    a column that must not be null fails the write. A write that is cut short leaves the table as
    it was; the same write again leaves the same rows, never two of each.

    Args:
        spark: The session.
        lake: Where the table lies.
        table: Name of a table of `schemas`, or the definition of another one.
        frame: Its new content.
        metadata: Stored with the commit as JSON, see `Catalog.info`.
        settings: Spark settings in force during this write only, e.g. the size of row groups.
        where: SQL condition on partition columns that all rows of the frame meet: only rows that meet it
            are replaced. None: all rows.
    """
    table = TABLES[table] if isinstance(table, str) else table
    catalog = Catalog(lake)
    with with_settings(spark, settings or {}):
        noted = json.dumps(metadata, sort_keys=True)
        catalog.replace(frame.select(*columns_of(table, frame)), table, noted, where)
    version = catalog.version(table.name)
    assert version is not None
    return version


def columns_of(table: Table, frame: DataFrame) -> list[Column]:
    """The columns of a definition, of its types; a null in one that must not be null fails the job.

    Raises:
        ValueError: The frame has other columns.
    """
    given, wanted = set(frame.columns), set(table.column_names)
    if given != wanted:
        raise ValueError(
            f"table {table.name!r}: the stage gave columns {sorted(given)}, the schema has {sorted(wanted)}"
        )
    types = {field.name: field.dataType for field in table.spark_schema().fields}
    held = {field.name: field.dataType for field in frame.schema.fields}
    columns = []
    for column in table.columns:
        value, wanted_type = F.col(column.name), types[column.name]
        # Delta forgets that fields of structs are never null, and Spark casts no field to such a one.
        if held[column.name].simpleString() != wanted_type.simpleString():
            value = value.cast(wanted_type)
        if not column.nullable:
            value = F.coalesce(value, F.raise_error(F.lit(f"{table.name}.{column.name} is null")))
        columns.append(value.alias(column.name))
    return columns


@contextmanager
def with_settings(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    """Spark settings in force while the context lasts."""
    before = {key: spark.conf.get(key, None) for key in settings}
    try:
        for key, value in settings.items():
            spark.conf.set(key, value)
        yield
    finally:
        # Where it fails the JVM is gone: why the write failed is what is to be told.
        with contextlib.suppress(Exception):
            for key, old in before.items():
                if old is None:
                    spark.conf.unset(key)
                else:
                    spark.conf.set(key, old)
