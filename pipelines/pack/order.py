"""The order of the documents: a hash of (seed, doc_id), cut into buckets that fit a task.

What a bucket needs to know of those before it are sums over a few numbers a document, so that tokens are
moved once, and no task sees more than one bucket at a time.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

Ints = npt.NDArray[np.int64]

BUCKET_TOKENS = 2**20
"""Tokens that a bucket has on average, unless there would be too many buckets: 2 or 4 MB in memory."""

MAX_BUCKET_BITS = 18
"""At most 262,144 buckets a split: their sums reach the driver and travel with each task, 2 MB."""


@dataclass(frozen=True)
class Streams:
    """What there is to pack.

    Attributes:
        tokens: Tokens of each split, end-of-document tokens included.
        documents: Documents of each split.
        bucket_bits: Leading bits of the hash that number a bucket.
    """

    tokens: dict[str, int]
    documents: dict[str, int]
    bucket_bits: int


def measure(tokens: DataFrame) -> Streams:
    """Tokens and documents of each split, and with them the number of buckets."""
    counted = tokens.groupBy("split").agg(
        F.sum(F.col("num_tokens") + 1).alias("tokens"), F.count("*").alias("documents")
    )
    rows = sorted(counted.collect(), key=lambda row: row["split"])
    sums = {row["split"]: int(row["tokens"]) for row in rows}
    wanted = max(sums.values(), default=0) // BUCKET_TOKENS
    return Streams(
        tokens=sums,
        documents={row["split"]: int(row["documents"]) for row in rows},
        bucket_bits=min(MAX_BUCKET_BITS, max(wanted, 1).bit_length()),
    )


def in_buckets(tokens: DataFrame, seed: int, bits: int, splits: Collection[str]) -> DataFrame:
    """The documents with `bucket`, the whole of a bucket in one partition, in the order of the hash.

    Args:
        tokens: Columns split, doc_id, copy (number of the document's copy, from 0) and others, which stay.
        seed: Seed of the order.
        bits: Leading bits of the hash that number a bucket.
        splits: All values of split.
    """
    keyed = tokens.withColumn("key", _key(seed)).withColumn(
        "bucket", F.shiftrightunsigned(F.col("key"), 64 - bits).cast("int")
    )
    # Spark compares the first eight bytes of a sort's first column without touching the rows. Here they hold
    # the split and the beginning of the hash, which decide all but a few comparisons.
    width = max(1, (len(splits) - 1).bit_length())
    number = F.coalesce(*(F.when(F.col("split") == name, n) for n, name in enumerate(sorted(splits))))
    order = F.shiftleft(number.cast("long"), 63 - width).bitwiseOR(
        F.shiftrightunsigned(F.col("key"), width + 1)
    )
    # The key is a signed number; where its first bits are the same, its order is the hash's.
    return (
        keyed.withColumn("order", order)
        .repartition("split", "bucket")
        .sortWithinPartitions("order", "key", "doc_id", "copy")
        .drop("order", "key")
    )


def bucket_tokens(tokens: DataFrame, seed: int, bits: int) -> dict[str, Ints]:
    """Tokens of each bucket of each split, end-of-document tokens included: int64 (number of buckets,)."""
    bucket = F.shiftrightunsigned(_key(seed), 64 - bits).cast("int").alias("bucket")
    sums = tokens.groupBy("split", bucket).agg(F.sum(F.col("num_tokens") + 1)).collect()
    return by_bucket([tuple(row) for row in sums], bits)


def _key(seed: int) -> Column:
    """The hash of a copy of a document; that of the first one does not depend on whether there are more."""
    first = F.xxhash64(F.lit(seed), F.col("doc_id"))
    return F.when(F.col("copy") == 0, first).otherwise(
        F.xxhash64(F.lit(seed), F.col("doc_id"), F.col("copy"))
    )


def by_bucket(rows: list[tuple[str, int, int]], bits: int) -> dict[str, Ints]:
    """Rows (split, bucket, value) as an array of the buckets for each split; 0 where there is none."""
    found: dict[str, Ints] = {}
    for split, bucket, value in rows:
        found.setdefault(split, np.zeros(2**bits, np.int64))[bucket] = value
    return found


def offsets(values: dict[str, Ints]) -> dict[str, Ints]:
    """The sum of the buckets before each bucket."""
    return {split: np.cumsum(own) - own for split, own in values.items()}
