"""Duplicates: what was removed by which method, and the largest clusters with their survivors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Row, Window
from pyspark.sql import functions as F

from pipelines.report.facts import Cluster, Duplicates, Member, Method, Pair
from pipelines.report.summary import ACCURACY, QUANTILES, Tables

MEMBERS_SHOWN = 5
"""Removed members listed for each cluster, the least similar first: they are what a person doubts."""

PAIRS_SHOWN = 3
"""Removed documents shown beside their survivor, those of the lowest similarity, one a cluster."""


def duplicates(tables: Tables, num_clusters: int, clusters: int, chars: int) -> Duplicates | None:
    """What deduplication removed.

    Args:
        tables: The lake.
        num_clusters: Clusters of more than one document that the corpus has.
        clusters: Number of largest clusters to show.
        chars: Characters shown of each text.
    """
    if "duplicates" not in tables or "corpus" not in tables:
        return None
    total = tables.rows("duplicates")
    judged = total + tables.rows("corpus")
    superseded = tables.rows("superseded") if "superseded" in tables else 0
    if not total:
        return Duplicates(judged, 0, 0, (), (), superseded=superseded)
    rows = (
        tables.frame("duplicates")
        .groupBy("method")
        .agg(
            F.count("*").alias("count"),
            F.sum("num_bytes").alias("num_bytes"),
            F.percentile_approx("similarity", list(QUANTILES), ACCURACY).alias("quantiles"),
        )
        .collect()
    )
    methods = [
        Method(row["method"], int(row["count"]), int(row["num_bytes"]), tuple(row["quantiles"] or ()))
        for row in rows
    ]
    methods.sort(key=lambda method: (-method.count, method.name))
    largest = _largest(tables, clusters)
    members = _members(tables, [row["doc_id"] for row in largest]) if largest else {}
    least = _least_similar(tables)
    removed = [row for rows in members.values() for row in rows if row["method"] != "exact"] + least
    shown = [row["doc_id"] for row in largest + removed] + [row["kept_doc_id"] for row in least]
    texts = tables.excerpts("clean", sorted(set(shown)), chars)
    return Duplicates(
        judged=judged,
        total=total,
        clusters_total=num_clusters,
        superseded=superseded,
        methods=tuple(methods),
        clusters=tuple(
            Cluster(
                doc_id=row["doc_id"],
                source=row["source"],
                size=int(row["cluster_size"]),
                excerpt=texts.get(row["doc_id"], ""),
                members=tuple(_member(member, texts) for member in members.get(row["doc_id"], ())),
            )
            for row in largest
        ),
        pairs=tuple(
            Pair(
                similarity=row["similarity"],
                kept_doc_id=row["kept_doc_id"],
                kept_excerpt=texts.get(row["kept_doc_id"], ""),
                removed=_member(row, texts),
            )
            for row in least
        ),
    )


def _member(row: Row, texts: Mapping[str, str]) -> Member:
    """A removed document; one that is equal to its survivor needs no text of its own."""
    excerpt = "" if row["method"] == "exact" else texts.get(row["doc_id"], "")
    return Member(row["doc_id"], row["source"], row["method"], row["similarity"], excerpt)


def _largest(tables: Tables, clusters: int) -> list[Row]:
    return (
        tables.frame("corpus")
        .where("cluster_size > 1")
        .select("doc_id", "source", "cluster_size")
        .orderBy(F.desc("cluster_size"), "doc_id")
        .limit(clusters)
        .collect()
    )


def _members(tables: Tables, kept: Sequence[str]) -> dict[str, list[Row]]:
    in_cluster = Window.partitionBy("kept_doc_id").orderBy("similarity", "doc_id")
    rows = (
        tables.frame("duplicates")
        .where(F.col("kept_doc_id").isin(list(kept)))
        .select("doc_id", "source", "kept_doc_id", "method", "similarity")
        .withColumn("place", F.row_number().over(in_cluster))
        .where(F.col("place") <= MEMBERS_SHOWN)
        .collect()
    )
    result: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["kept_doc_id"], row["place"])):
        result.setdefault(row["kept_doc_id"], []).append(row)
    return result


def _least_similar(tables: Tables) -> list[Row]:
    """The removed documents least like their survivor, at most one a survivor."""
    first_of_cluster = Window.partitionBy("kept_doc_id").orderBy("similarity", "doc_id")
    return (
        tables.frame("duplicates")
        .where("method <> 'exact' and similarity is not null")
        .select("doc_id", "source", "kept_doc_id", "method", "similarity")
        .withColumn("place", F.row_number().over(first_of_cluster))
        .where("place = 1")
        .orderBy("similarity", "doc_id")
        .limit(PAIRS_SHOWN)
        .collect()
    )
