"""Duplicates: what was removed by which method, and the largest clusters with their survivors."""

from __future__ import annotations

from pyspark.sql import Window
from pyspark.sql import functions as F

from pipelines.report.facts import Cluster, Duplicates, Member, Method, Pair
from pipelines.report.summary import ACCURACY, QUANTILES, Tables

MEMBERS_SHOWN = 5
"""Removed members listed for each cluster, the least similar first: they are what a person doubts."""

PAIRS_SHOWN = 3
"""Removed documents shown beside their survivor, those of the lowest similarity."""


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
    if not total:
        return Duplicates(judged, 0, 0, (), ())
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
        Method(row["method"], int(row["count"]), int(row["num_bytes"]), tuple(row["quantiles"]))
        for row in rows
    ]
    methods.sort(key=lambda method: (-method.count, method.name))
    return Duplicates(
        judged=judged,
        total=total,
        clusters_total=num_clusters,
        methods=tuple(methods),
        clusters=_largest(tables, clusters, chars),
        pairs=_least_similar(tables, chars),
    )


def _largest(tables: Tables, clusters: int, chars: int) -> tuple[Cluster, ...]:
    survivors = (
        tables.frame("corpus")
        .where("cluster_size > 1")
        .select("doc_id", "source", "cluster_size", F.substring("text", 1, chars + 1).alias("excerpt"))
        .orderBy(F.desc("cluster_size"), "doc_id")
        .limit(clusters)
        .collect()
    )
    if not survivors:
        return ()
    members = _members(tables, [row["doc_id"] for row in survivors], chars)
    return tuple(
        Cluster(
            doc_id=row["doc_id"],
            source=row["source"],
            size=int(row["cluster_size"]),
            excerpt=row["excerpt"],
            members=tuple(members.get(row["doc_id"], ())),
        )
        for row in survivors
    )


def _members(tables: Tables, kept: list[str], chars: int) -> dict[str, list[Member]]:
    in_cluster = Window.partitionBy("kept_doc_id").orderBy("similarity", "doc_id")
    rows = (
        tables.frame("duplicates")
        .where(F.col("kept_doc_id").isin(kept))
        .select("doc_id", "source", "kept_doc_id", "method", "similarity")
        .withColumn("place", F.row_number().over(in_cluster))
        .where(F.col("place") <= MEMBERS_SHOWN)
        .collect()
    )
    different = [row["doc_id"] for row in rows if row["method"] != "exact"]
    texts = tables.excerpts("clean", different, chars)
    result: dict[str, list[Member]] = {}
    for row in sorted(rows, key=lambda row: (row["kept_doc_id"], row["place"])):
        member = Member(
            row["doc_id"], row["source"], row["method"], row["similarity"], texts.get(row["doc_id"], "")
        )
        result.setdefault(row["kept_doc_id"], []).append(member)
    return result


def _least_similar(tables: Tables, chars: int) -> tuple[Pair, ...]:
    rows = (
        tables.frame("duplicates")
        .where("method <> 'exact'")
        .orderBy("similarity", "doc_id")
        .select("doc_id", "source", "kept_doc_id", "method", "similarity")
        .limit(PAIRS_SHOWN)
        .collect()
    )
    texts = tables.excerpts("clean", [row[name] for row in rows for name in ("doc_id", "kept_doc_id")], chars)
    return tuple(
        Pair(
            similarity=row["similarity"],
            kept_doc_id=row["kept_doc_id"],
            kept_excerpt=texts.get(row["kept_doc_id"], ""),
            removed=Member(
                row["doc_id"], row["source"], row["method"], row["similarity"], texts.get(row["doc_id"], "")
            ),
        )
        for row in rows
    )
