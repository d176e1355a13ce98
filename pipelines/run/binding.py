"""What every stage that writes tables does around its own work: names its jobs, writes, counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pyspark import StorageLevel

from pipelines.lake import write_table
from pipelines.run.context import Context
from pipelines.run.progress import SparkProgress
from pipelines.stage import StageOutput


def write_output(
    context: Context,
    output: StageOutput,
    metadata: Mapping[str, Any],
    settings: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """Writes each table of a stage in one commit; returns the new versions by table.

    What several tables derive from is persisted on disk meanwhile, so that it is computed once.
    """
    for frame in output.shared:
        if not frame.is_cached:
            frame.persist(StorageLevel.DISK_ONLY)
    try:
        return {
            name: write_table(context.spark, context.lake, name, frame, metadata, settings)
            for name, frame in output.tables.items()
        }
    finally:
        for frame in output.shared:
            frame.unpersist()


def rows_of(context: Context, versions: Mapping[str, int]) -> dict[str, int]:
    """Rows of tables at their versions, as the tables' logs have them."""
    return {name: context.catalog.info(name, version).rows for name, version in versions.items()}


@contextmanager
def watched(context: Context, stage: str, description: str) -> Iterator[None]:
    """Names the Spark jobs of a stage in the UI and shows how far they are."""
    spark = context.spark
    spark.sparkContext.setJobGroup(stage, description)
    with SparkProgress(spark, stage, context.console):
        yield
