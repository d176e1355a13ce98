"""Records that were forgotten do not come in again: ingest counts them, and keeps nothing else of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from pipelines.stage_output import StageOutput
from schemas.sources import ERASED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def without_erased(output: StageOutput, contents: Collection[str]) -> StageOutput:
    """What ingest made, without the documents that have a forgotten text.

    They are told by the hash of text and target, wherever they are met again. In `sources` they are no
    records: `skipped` has their number as 'erased', so that its records still add up to `documents` and
    `quarantine`.

    Args:
        output: Tables `sources`, `documents` and `quarantine`.
        contents: Hashes of the texts, see `schemas.erasures`.
    """
    if not contents:
        return output
    documents, sources = output.tables["documents"], output.tables["sources"]
    spark = documents.sparkSession
    erased = F.broadcast(spark.createDataFrame([(each,) for each in sorted(contents)], "content string"))
    # concat_ws leaves a target out that is null.
    hashed = documents.withColumn("content", F.sha2(F.concat_ws("\0", "text", "target").cast("binary"), 256))
    counts = hashed.join(erased, "content", "left_semi").groupBy("source").count()
    kept = hashed.join(erased, "content", "left_anti").drop("content")
    return replace(output, tables={**output.tables, "documents": kept, "sources": _counted(sources, counts)})


def _counted(sources: DataFrame, counts: DataFrame) -> DataFrame:
    gone = F.coalesce("count", F.lit(0))
    skipped = F.when(gone > 0, F.map_concat("skipped", F.create_map(F.lit(ERASED), gone))).otherwise(
        F.col("skipped")
    )
    return (
        sources.join(F.broadcast(counts), "source", "left")
        .withColumn("records", F.col("records") - gone)
        .withColumn("kept", F.col("kept") - gone)
        .withColumn("skipped", skipped)
        .drop("count")
    )
