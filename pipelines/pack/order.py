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


FIRST_BITS = 12
"""Bits of the buckets that are summed before it is known how many there are to be: 4,096 a split."""


@dataclass(frozen=True)
class Streams:
    """What there is to pack.

    Attributes:
        tokens: Tokens of each split, end-of-document tokens included.
        bucket_bits: Leading bits of the hash that number a bucket.
        bucket_tokens: Tokens of each bucket of each split, int64 of shape (2 ** bucket_bits,).
    """

    tokens: dict[str, int]
    bucket_bits: int
    bucket_tokens: dict[str, Ints]


def measure(tokens: DataFrame, seed: int) -> Streams:
    """Tokens of each split and of its buckets, whose number they decide.

    Args:
        tokens: Columns split, doc_id, copy, num_tokens.
        seed: Seed of the order.
    """
    sums = _bucket_tokens(tokens, seed, FIRST_BITS)
    totals = {split: int(own.sum()) for split, own in sorted(sums.items())}
    wanted = max(totals.values(), default=0) // BUCKET_TOKENS
    bits = min(MAX_BUCKET_BITS, max(wanted, 1).bit_length())
    if bits > FIRST_BITS:
        sums = _bucket_tokens(tokens, seed, bits)
    else:
        # The first bits of the hash are those of a larger bucket too.
        sums = {split: own.reshape(2**bits, -1).sum(axis=1) for split, own in sums.items()}
    return Streams(totals, bits, sums)


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


def _bucket_tokens(tokens: DataFrame, seed: int, bits: int) -> dict[str, Ints]:
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
        if split not in found:
            found[split] = np.zeros(2**bits, np.int64)
        found[split][bucket] = value
    return found


def offsets(values: dict[str, Ints]) -> dict[str, Ints]:
    """The sum of the buckets before each bucket."""
    return {split: np.cumsum(own) - own for split, own in values.items()}
