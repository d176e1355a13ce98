"""The text a tokenizer is trained on: a deterministic sample of the train split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

BUCKET_BITS = 12
NUM_BUCKETS = 2**BUCKET_BITS


def sample(corpus: DataFrame, max_bytes: int) -> Iterator[str]:
    """Texts of the train split in the order of a hash of doc_id, until they have `max_bytes` bytes.

    The text that reaches the limit is the last one, whole. Only documents that can be in the sample are
    sorted: a histogram of bytes over 4,096 ranges of the hash says where the limit falls. They come to
    the driver one partition after another, so that it never holds more than a part of the sample.

    Args:
        corpus: Table `corpus`.
        max_bytes: Size of the sample in bytes of UTF-8.
    """
    position = F.shiftrightunsigned(F.xxhash64("doc_id"), 1)
    train = corpus.where("split = 'train'").select(
        "doc_id", "text", position.alias("position"), F.octet_length("text").cast("long").alias("size")
    )
    bucket = F.shiftright("position", 63 - BUCKET_BITS).cast("int")
    histogram = train.groupBy(bucket.alias("bucket")).agg(F.sum("size").alias("size")).collect()
    last = _last_bucket({row["bucket"]: row["size"] for row in histogram}, max_bytes)
    taken = 0
    for row in train.where(bucket <= last).orderBy("position", "doc_id").select("text").toLocalIterator():
        yield row["text"]
        taken += len(row["text"].encode())
        if taken >= max_bytes:
            return


def _last_bucket(sizes: dict[int, int], max_bytes: int) -> int:
    """The bucket in which the running total reaches the limit, the last one if none does."""
    total = 0
    for bucket in sorted(sizes):
        total += sizes[bucket]
        if total >= max_bytes:
            return bucket
    return NUM_BUCKETS - 1
