"""Where each document begins in the stream of its split, exactly and without a sort on one task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NUM_BUCKETS = 1024
"""Buckets that the order's hash is cut into; a task sorts one of them. Only 1024 sums reach the driver."""

_BUCKET_BITS = 10


def with_positions(tokens: DataFrame, seed: int) -> DataFrame:
    """The documents with `start`, their first token's position in the stream of their split.

    Documents follow each other in the order of a hash of (seed, doc_id), each with its end-of-document
    token. The hash is cut into buckets by its leading bits: the sums of the buckets give each bucket's
    offset, and inside a bucket a running sum does the rest. The result depends on the documents and the
    seed alone.

    Args:
        tokens: Columns split, doc_id, copy (number of the document's copy, from 0), num_tokens and others,
            which stay.
        seed: Seed of the order.

    Returns:
        The same rows with column start (long).
    """
    first = F.xxhash64(F.lit(seed), F.col("doc_id"))
    key = F.when(F.col("copy") == 0, first).otherwise(F.xxhash64(F.lit(seed), F.col("doc_id"), F.col("copy")))
    bucket = F.shiftrightunsigned(key, 64 - _BUCKET_BITS).cast("int")
    length = F.col("num_tokens") + 1
    placed = tokens.withColumn("_key", key).withColumn("_bucket", bucket)
    sums = placed.groupBy("split", "_bucket").agg(F.sum(length).alias("_sum")).collect()
    offsets: list[tuple[str, int, int]] = []
    running: dict[str, int] = {}
    for split, number, total in sorted(tuple(row) for row in sums):
        offsets.append((split, number, running.get(split, 0)))
        running[split] = running.get(split, 0) + total
    base = tokens.sparkSession.createDataFrame(offsets, "split string, _bucket int, _base long")
    before = (
        Window.partitionBy("split", "_bucket")
        .orderBy("_key", "doc_id", "copy")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    start = F.col("_base") + F.sum(length).over(before) - length
    return (
        placed.join(F.broadcast(base), ["split", "_bucket"])
        .withColumn("start", start)
        .drop("_key", "_bucket", "_base")
    )


def stream_lengths(tokens: DataFrame) -> dict[str, int]:
    """Tokens in the stream of each split, end-of-document tokens included."""
    rows = tokens.groupBy("split").agg(F.sum(F.col("num_tokens") + 1).alias("length")).collect()
    return {row["split"]: row["length"] for row in rows}
