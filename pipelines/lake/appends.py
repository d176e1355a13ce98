"""Rows that a numbered batch adds to a table, or takes out of it, once however often that is repeated.

Each is one commit that carries the number of the batch as Delta's transaction of an application, so that the
log itself says what is done: no file and no clock is asked, and a compacted log still knows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipelines.lake.catalog import Catalog
from pipelines.lake.paths import Lake
from pipelines.lake.tables import columns_of, with_settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from schemas import Table

ADDED, REMOVED = "ringlake-batch-added", "ringlake-batch-removed"
"""Applications whose transactions are the numbers of batches."""

KEEPS_VERSIONS = {
    "spark.databricks.delta.properties.defaults.deletedFileRetentionDuration": "interval 36500 days",
    "spark.databricks.delta.properties.defaults.logRetentionDuration": "interval 36500 days",
    "spark.databricks.delta.properties.defaults.enableExpiredLogCleanup": "false",
}
"""Settings of the write that makes a table: no VACUUM takes a file, and no clean-up a version, that an older
plan, checkpoint or model may be pinned to."""


def is_done(lake: Lake, name: str, application: str, number: int) -> bool:
    """Whether a table has what a batch adds (`ADDED`) or lacks what it removes (`REMOVED`)."""
    catalog = Catalog(lake)
    if not catalog.exists(name):
        return False
    last = catalog.transaction(name, application)
    return last is not None and last >= number


def add_once(
    spark: SparkSession,
    lake: Lake,
    table: Table,
    frame: DataFrame,
    metadata: Mapping[str, Any],
    number: int,
    settings: Mapping[str, str] | None = None,
) -> int:
    """Appends the rows of a batch in one commit, unless they are there; returns the version then.

    Args:
        spark: The session.
        lake: Where the table lies; it is made if it is not there.
        table: Its definition.
        frame: The rows, with the columns of the definition.
        metadata: Stored with the commit as JSON.
        number: Number of the batch.
        settings: Spark settings in force during the write.
    """
    catalog = Catalog(lake)
    if not is_done(lake, table.name, ADDED, number):
        made = {} if catalog.exists(table.name) else KEEPS_VERSIONS
        with with_settings(spark, {**made, **(settings or {})}):
            (
                frame.select(*columns_of(table, frame))
                .write.format("delta")
                .mode("append")
                .option("txnAppId", ADDED)
                .option("txnVersion", number)
                .option("userMetadata", json.dumps(metadata, sort_keys=True))
                .partitionBy(*table.partition_by)
                .save(lake.spark_table(table.name))
            )
    version = catalog.version(table.name)
    assert version is not None
    return version


def remove_once(
    spark: SparkSession,
    lake: Lake,
    table: Table,
    values: DataFrame,
    metadata: Mapping[str, Any],
    number: int,
) -> None:
    """Removes rows for a batch in one commit, unless that is done; files without such a row stay as they are.

    What a batch removes goes before what it adds: where its rows are there, nothing is left to be removed. If
    no row was, no commit says so, and its own rows must not be taken for those.

    Args:
        spark: The session.
        lake: Where the table lies; nothing is done if there is none.
        table: Its definition.
        values: One column, distinct: rows whose column of that name has one of the values go.
        metadata: Stored with the commit as JSON.
        number: Number of the batch.
    """
    from delta.tables import DeltaTable

    if not Catalog(lake).exists(table.name):
        return
    if any(is_done(lake, table.name, application, number) for application in (REMOVED, ADDED)):
        return
    (column,) = values.columns
    settings = {
        "spark.databricks.delta.write.txnAppId": REMOVED,
        "spark.databricks.delta.write.txnVersion": str(number),
        "spark.databricks.delta.commitInfo.userMetadata": json.dumps(metadata, sort_keys=True),
    }
    with with_settings(spark, settings):
        (
            DeltaTable.forPath(spark, lake.spark_table(table.name))
            .alias("held")
            .merge(values.alias("gone"), f"held.{column} = gone.{column}")
            .whenMatchedDelete()
            .execute()
        )
