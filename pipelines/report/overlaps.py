"""What documents share with each other in part, and with evaluation sets."""

from __future__ import annotations

from pyspark.sql import functions as F

from pipelines.lake import RunRecord
from pipelines.report.facts import Contamination, EvalSetOverlap, Overlapping, RepeatedUnit, Repeats
from pipelines.report.summary import Tables

ROWS = 20
"""Rows of `repeats` and of `contaminated` that are shown."""


def contamination(tables: Tables, dedup: RunRecord | None, chars: int) -> Contamination | None:
    """What overlapped evaluation sets; None if the newest run of dedup compared with none.

    Args:
        tables: The lake.
        dedup: That run.
        chars: Characters shown of an n-gram.
    """
    if dedup is None or "contaminated" not in dedup.outputs or "contaminated" not in tables:
        return None
    frame = tables.frame("contaminated")
    total = frame.agg(F.sum("num_bytes")).first()
    found = dedup.details["decontamination"]
    most = frame.orderBy(F.desc("num_ngrams"), "doc_id").limit(ROWS)
    rows = most.withColumn("example", F.substring("example", 1, chars)).collect()
    names = EvalSetOverlap.__dataclass_fields__.keys() - {"name"}
    return Contamination(
        ngram=found["ngram"],
        documents=tables.rows("contaminated"),
        num_bytes=int((total[0] if total is not None else 0) or 0),
        sets=tuple(
            EvalSetOverlap(name=name, **{key: counts[key] for key in names})
            for name, counts in found["sets"].items()
        ),
        rows=tuple(
            Overlapping(**{name: row[name] for name in Overlapping.__dataclass_fields__}) for row in rows
        ),
    )


def repeats(tables: Tables, dedup: RunRecord | None, chars: int) -> Repeats | None:
    """What was dropped from many documents; None if the newest run of dedup did not read `trimmed`.

    Args:
        tables: The lake.
        dedup: That run.
        chars: Characters shown of a line or paragraph.
    """
    if dedup is None or "trimmed" not in dedup.inputs or "repeats" not in tables or "emptied" not in tables:
        return None
    frame = tables.frame("repeats")
    dropped = frame.agg(F.sum("num_dropped")).first()
    emptied = tables.frame("emptied").agg(F.sum("num_bytes")).first()
    most = frame.orderBy(F.desc("num_documents"), "unit_hash").limit(ROWS)
    rows = most.withColumn("excerpt", F.substring("excerpt", 1, chars)).collect()
    return Repeats(
        units=tables.rows("repeats"),
        dropped=int((dropped[0] if dropped is not None else 0) or 0),
        emptied=(tables.rows("emptied"), int((emptied[0] if emptied is not None else 0) or 0)),
        rows=tuple(
            RepeatedUnit(**{name: row[name] for name in RepeatedUnit.__dataclass_fields__}) for row in rows
        ),
    )
