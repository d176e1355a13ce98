"""What did not stay: files and records that could not be read, documents that a rule rejected."""

from __future__ import annotations

from collections import Counter

from pyspark.sql import Window
from pyspark.sql import functions as F

from pipelines.report.facts import Example, Quarantine, QuarantineRow, ReasonCount, Rejections, RuleRejections
from pipelines.report.summary import ACCURACY, QUANTILES, Tables

MAX_QUARANTINE_ROWS = 200
"""Rows of `quarantine` that the report lists; above this it says how to see the rest."""

CANDIDATES = 4
"""Times as many rejected documents are looked at as are shown, to pass over those with equal beginnings."""


def quarantine(tables: Tables) -> Quarantine | None:
    """All reasons counted, whole files before single records, and the first rows."""
    if "quarantine" not in tables:
        return None
    num_rows = tables.rows("quarantine")
    if not num_rows:
        return Quarantine(0, (), ())
    frame = tables.frame("quarantine")
    if "records" not in frame.columns:
        # Tables of earlier versions have a row for each record.
        frame = frame.withColumn("records", F.lit(1))
    first = frame.orderBy("scope", "source", "offset", "reason").limit(MAX_QUARANTINE_ROWS).collect()
    rows = tuple(
        QuarantineRow(**{name: row[name] for name in QuarantineRow.__dataclass_fields__}) for row in first
    )
    if num_rows <= MAX_QUARANTINE_ROWS:
        counts: Counter[tuple[str, str]] = Counter()
        for row in first:
            counts[row["reason"], row["scope"]] += row["records"]
        counted = list(counts.items())
    else:
        grouped = frame.groupBy("reason", "scope").agg(F.sum("records").alias("count")).collect()
        counted = [((row["reason"], row["scope"]), row["count"]) for row in grouped]
    reasons = [ReasonCount(reason, scope, int(number)) for (reason, scope), number in counted]
    reasons.sort(key=lambda item: (-item.count, item.reason, item.scope))
    return Quarantine(sum(item.count for item in reasons), tuple(reasons), rows)


def rejections(tables: Tables, examples: int, chars: int) -> Rejections | None:
    """Every rule that rejected something, with its share of the documents judged and examples.

    Args:
        tables: The lake.
        examples: Documents shown for each rule, first by id; ids are hashes, so they are a random draw.
        chars: Characters shown of each.
    """
    if "rejected" not in tables or "clean" not in tables:
        return None
    total = tables.rows("rejected")
    judged = total + tables.rows("clean")
    if not total:
        return Rejections(judged, 0, 0, ())
    grouped = (
        tables.frame("rejected")
        .groupBy("rule", "threshold", "comparison")
        .agg(
            F.count("*").alias("count"),
            F.sum("num_bytes").alias("num_bytes"),
            F.percentile_approx("value", list(QUANTILES), ACCURACY).alias("quantiles"),
        )
        .collect()
    )
    shown = _examples(tables, examples, chars) if examples else {}
    rules = [
        RuleRejections(
            name=row["rule"],
            threshold=row["threshold"],
            comparison=row["comparison"],
            count=int(row["count"]),
            num_bytes=int(row["num_bytes"]),
            quantiles=tuple(row["quantiles"]),
            examples=tuple(shown.get((row["rule"], row["threshold"], row["comparison"]), ())),
        )
        for row in grouped
    ]
    rules.sort(key=lambda rule: (-rule.count, rule.name, rule.threshold))
    return Rejections(judged, total, sum(rule.num_bytes for rule in rules), tuple(rules))


def _examples(tables: Tables, examples: int, chars: int) -> dict[tuple[str, float, str], list[Example]]:
    by_rule = Window.partitionBy("rule", "threshold", "comparison").orderBy("doc_id")
    rows = (
        tables.frame("rejected")
        .select("doc_id", "source", "rule", "threshold", "comparison", "value", "num_bytes")
        .withColumn("place", F.row_number().over(by_rule))
        .where(F.col("place") <= examples * CANDIDATES)
        .collect()
    )
    texts = tables.excerpts("documents", [row["doc_id"] for row in rows], chars)
    result: dict[tuple[str, float, str], list[Example]] = {}
    told: set[tuple[str, str]] = set()
    for row in sorted(rows, key=lambda row: (row["rule"], row["place"])):
        chosen = result.setdefault((row["rule"], row["threshold"], row["comparison"]), [])
        excerpt = texts.get(row["doc_id"])
        if excerpt is None or len(chosen) == examples or (row["rule"], excerpt) in told:
            continue
        told.add((row["rule"], excerpt))
        chosen.append(Example(row["doc_id"], row["source"], row["value"], int(row["num_bytes"]), excerpt))
    return result
