"""Connected components of a graph of any size on Spark, labelled by their smallest node.

Alternating large-star and small-star: Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii,
"Connected Components in MapReduce and Beyond", SoCC 2014; O(log^2 n) rounds proven, about log n met.
As soon as the edges fit one task, that task finishes the work. Both ways give the same labels.

Nothing here depends on the order of rows or on partition numbers, so that partitioning, adaptive query
execution and recomputed tasks cannot change the labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from pipelines.dedup.forest import label_batches
from pipelines.errors import StageFailedError
from pipelines.stage_output import Say

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LOCAL_EDGES = 2_000_000
"""Edges that one task takes: two 32-character ids and their ranks, about 250 MB of memory."""

LABELS = "node string not null, component string not null"


@dataclass(frozen=True)
class Components:
    """The result.

    Attributes:
        labels: (node, component) of every node that has an edge; component is its smallest node.
        num_edges: Edges that went in.
        num_rounds: Rounds of large-star and small-star that were needed.
    """

    labels: DataFrame
    num_edges: int
    num_rounds: int


def connected_components(
    edges: DataFrame, max_rounds: int, say: Say, local_edges: int = LOCAL_EDGES
) -> Components:
    """Labels the nodes of an undirected graph.

    Args:
        edges: Columns node and hub, strings, hub < node.
        max_rounds: Limit of rounds.
        say: Prints progress.
        local_edges: Most edges that are left to one task.

    Raises:
        StageFailedError: `max_rounds` were not enough.
    """
    current = _cut(edges.select("node", "hub", F.lit(True).alias("changed")))
    num_edges = left = _measure(current)[0]
    rounds = 0
    while left > local_edges:
        if rounds == max_rounds:
            raise StageFailedError(
                f"the connected components of {num_edges} near-duplicate edges are not finished after "
                f"dedup.max_rounds = {max_rounds} rounds; raise dedup.max_rounds"
            )
        rounds += 1
        current = _cut(_small_star(_large_star(current)))
        left, changed = _measure(current)
        say(f"connected components: round {rounds}, {left:,} edges")
        if not changed:
            # Neither star moved an edge, so every component is a star around its smallest node.
            return Components(_labels_of_stars(current), num_edges, rounds)
    labels = current.select("node", "hub").coalesce(1).mapInArrow(label_batches, LABELS)
    return Components(labels, num_edges, rounds)


def _cut(edges: DataFrame) -> DataFrame:
    """Keeps the rows and forgets where they came from.

    Plans of persisted frames nest, and planning round n costs 2^n steps. Blocks of a local checkpoint
    are freed with the frame; one that is lost with its executor fails the stage, which may be run again.
    """
    return edges.localCheckpoint(eager=False)


def _measure(edges: DataFrame) -> tuple[int, bool]:
    """Number of edges and whether the last round changed any; the one job of a round."""
    row = edges.agg(F.count("*"), F.max("changed")).first()
    assert row is not None
    return int(row[0]), bool(row[1])


def _large_star(edges: DataFrame) -> DataFrame:
    """Connects each node's larger neighbours to the smallest of the node and all its neighbours."""
    there = F.struct(F.col("node"), F.col("hub").alias("neighbour"))
    back = F.struct(F.col("hub").alias("node"), F.col("node").alias("neighbour"))
    smallest = F.least("node", F.min("neighbour").over(Window.partitionBy("node")))
    return (
        edges.select(F.inline(F.array(there, back)))
        .select("node", "neighbour", smallest.alias("smallest"))
        .where("neighbour > node")
        .select(
            F.col("neighbour").alias("node"),
            F.col("smallest").alias("hub"),
            (F.col("smallest") != F.col("node")).alias("changed"),
        )
    )


def _small_star(edges: DataFrame) -> DataFrame:
    """Connects each node and its smaller neighbours to the smallest of them."""
    smallest = F.min("hub").over(Window.partitionBy("node"))
    moved = F.col("hub") != F.col("smallest")
    return (
        edges.select("node", "hub", "changed", smallest.alias("smallest"))
        .select(
            F.when(moved, F.col("hub")).otherwise(F.col("node")).alias("node"),
            F.col("smallest").alias("hub"),
            (moved | F.col("changed")).alias("changed"),
        )
        .groupBy("node", "hub")
        .agg(F.max("changed").alias("changed"))
    )


def _labels_of_stars(stars: DataFrame) -> DataFrame:
    leaf = F.struct(F.col("node"), F.col("hub").alias("component"))
    hub = F.struct(F.col("hub").alias("node"), F.col("hub").alias("component"))
    return stars.select(F.inline(F.array(leaf, hub))).distinct()
