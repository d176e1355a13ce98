"""Candidates checked by their true similarity: an edge only where two texts are as similar as asked for.

All pairs of a bucket of up to `ALL_PAIRS` documents are compared. A larger bucket would have too many pairs
(five billion of 100,000 documents) and is taken in rounds. In a round its hub, the smallest document that
is like no earlier hub, is compared with every other one, whether that has found a hub or not, so that a
document may connect several hubs. The bucket is done when all of its documents have a hub. After
`MAX_HUBS` rounds the documents without one are counted: they were compared with so many documents of the
bucket, though not with each other. Two documents that are both like another hub, but whose hubs are not
connected, were not compared either; sharing any small bucket mends that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import Window
from pyspark.sql import functions as F

from pipelines.dedup.minhash import Unit, similarities
from pipelines.stage_output import Say
from pipelines.worker import Kernel, in_warm_worker

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ALL_PAIRS = 16
"""Documents of a bucket all of whose pairs are compared: 120 at most."""

MAX_HUBS = 16
"""Hubs of a larger bucket: each costs a round in which the bucket's texts are read once."""

EDGES = "node string not null, hub string not null"


def verified_edges(
    bucketed: DataFrame,
    texts: DataFrame,
    ngram: int,
    unit: Unit,
    threshold: float,
    say: Say,
    max_hubs: int = MAX_HUBS,
) -> tuple[DataFrame, int]:
    """Edges (node, hub) with hub < node between documents of a bucket that are similar enough.

    Args:
        bucketed: Columns key and node.
        texts: Columns doc_id and text, of all nodes at least.
        ngram: Words, or characters, in a shingle.
        unit: What a shingle is made of.
        threshold: Least Jaccard similarity of the shingle sets.
        say: Prints progress.
        max_hubs: Hubs of a large bucket.

    Returns:
        The edges, and the number of places in large buckets whose documents found no hub.
    """

    def check(pairs: DataFrame) -> DataFrame:
        return _similar(pairs, texts, ngram, unit, threshold)

    sized = bucketed.withColumn("size", F.count("*").over(Window.partitionBy("key"))).where("size > 1")
    sized = sized.localCheckpoint(eager=False)
    small = sized.where(F.col("size") <= ALL_PAIRS)
    other = small.select("key", F.col("node").alias("hub"))
    edges = check(small.join(other, "key").where("hub < node").select("node", "hub").distinct())
    open_places = sized.where(F.col("size") > ALL_PAIRS).select("key", "node", F.lit(False).alias("done"))
    left, number = _left(open_places), 0
    while left and number < max_hubs:
        number += 1
        say(f"verification: hub {number} of the large buckets, {left:,} places without one")
        hub = F.min(F.when(~F.col("done"), F.col("node"))).over(Window.partitionBy("key"))
        aimed = open_places.withColumn("hub", hub).where("hub is not null")
        pairs = aimed.where("node != hub").select(
            F.greatest("node", "hub").alias("node"), F.least("node", "hub").alias("hub")
        )
        similar = check(pairs.distinct()).localCheckpoint(eager=False)
        edges = edges.union(similar)
        found = similar.select(
            F.col("node").alias("high"), F.col("hub").alias("low"), F.lit(True).alias("found")
        )
        open_places = (
            aimed.withColumn("high", F.greatest("node", "hub"))
            .withColumn("low", F.least("node", "hub"))
            .join(found, ["high", "low"], "left")
            .select(
                "key",
                "node",
                (F.col("done") | (F.col("node") == F.col("hub")) | F.col("found").isNotNull()).alias("done"),
            )
        ).localCheckpoint(eager=False)
        left = _left(open_places)
    if left:
        say(f"verification: {left:,} places in large buckets are like none of their bucket's {max_hubs} hubs")
    return edges.distinct(), left


def _left(places: DataFrame) -> int:
    return places.where("not done").count()


def _similar(pairs: DataFrame, texts: DataFrame, ngram: int, unit: Unit, threshold: float) -> DataFrame:
    """The pairs (node, hub) whose texts are similar enough."""
    return (
        pairs.join(texts.select(F.col("doc_id").alias("node"), "text"), "node")
        .join(texts.select(F.col("doc_id").alias("hub"), F.col("text").alias("hub_text")), "hub")
        .select("node", "hub", "text", "hub_text")
        .mapInArrow(_check(ngram, unit, threshold), EDGES)
    )


def _check(ngram: int, unit: Unit, threshold: float) -> Kernel:
    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            similar = similarities(batch["text"], batch["hub_text"], ngram, unit) >= threshold
            yield batch.select(["node", "hub"]).filter(pa.array(similar))

    return in_warm_worker(convert)
