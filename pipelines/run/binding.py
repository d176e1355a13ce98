"""What every stage that writes tables does around its own work: names its jobs, writes, counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pyspark import StorageLevel

from pipelines.lake import write_table
from pipelines.run.context import Context
from pipelines.run.progress import SparkProgress
from pipelines.stage import StageOutput, release


def write_output(
    context: Context,
    output: StageOutput,
    metadata: Mapping[str, Any],
    settings: Mapping[str, str] | None = None,
    after: Callable[[], None] | None = None,
) -> dict[str, int]:
    """Writes each table of a stage in one commit, then does what is to be done `after`.

    Returns the new versions by table.
    What several tables derive from is persisted on disk meanwhile, so that it is computed once.
    """
    for frame in output.shared:
        if not frame.is_cached:
            frame.persist(StorageLevel.DISK_ONLY)
    try:
        versions = {}
        for name, frame in output.tables.items():
            context.spark.sparkContext.setJobDescription(f"{metadata['stage']}: write {name}")
            versions[name] = write_table(context.spark, context.lake, name, frame, metadata, settings)
        if after is not None:
            after()
        return versions
    finally:
        release(*output.shared)


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
