"""Edges between the documents of a bucket: all documents that share a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def members(documents: DataFrame) -> DataFrame:
    """(key, node): every document in each of its buckets.

    Args:
        documents: Columns doc_id and keys; a key names its bucket.
    """
    return documents.select(F.explode("keys").alias("key"), F.col("doc_id").alias("node"))


def star_edges(bucketed: DataFrame) -> DataFrame:
    """Edges (node, hub) with hub < node: in each bucket from every document to the smallest one.

    A bucket of n documents gives n - 1 edges, never n^2 pairs, and connects the same documents.

    Args:
        bucketed: Columns key (of any type) and node.
    """
    bucket = Window.partitionBy("key")
    return bucketed.select("node", F.min("node").over(bucket).alias("hub")).where("node != hub").distinct()
