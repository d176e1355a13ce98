"""What the documents are: input files, languages, lengths, tokens."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from pipelines.report.facts import (
    Language,
    LanguageCounts,
    Lengths,
    Repairs,
    SourceGroup,
    SourceGroups,
    Split,
    Tokens,
)
from pipelines.report.summary import Summary, Tables, summarize
from pipelines.text.personal_data import KINDS
from training.facts import target_of

MAX_LANGUAGES = 15
"""Languages shown by name; the others are added up in one row that says how many they are."""

Summaries = dict[str, Summary]


def summaries(tables: Tables) -> Summaries:
    """The sums of every table that is broken down in the report, one pass over each."""
    changed = {"num_repairs": F.col("num_repairs")}
    changed |= {f"pii {kind}": F.col("pii")[kind] for kind in KINDS}
    wanted: dict[str, tuple[str, str | None, dict[str, Column]]] = {
        "documents": ("num_bytes", None, {}),
        "clean": ("num_bytes", "lang", changed),
        "rejected": ("num_bytes", "lang", {}),
        "corpus": ("num_bytes", "lang", {"clusters": (F.col("cluster_size") > 1).cast("long")}),
        "tokens": ("num_tokens", None, {"num_bytes": F.col("num_bytes")}),
    }
    return {
        name: summarize(tables.frame(name), length, group, totals)
        for name, (length, group, totals) in wanted.items()
        if name in tables
    }


def sources(tables: Tables) -> SourceGroups | None:
    """Input files by reader, compression and outcome."""
    if "sources" not in tables:
        return None
    rows = (
        tables.frame("sources")
        .groupBy("format", "compression", "state")
        .agg(
            F.count("*").alias("files"),
            F.sum("num_bytes").alias("num_bytes"),
            F.sum("records").alias("records"),
        )
        .orderBy(F.desc("files"), "format", "compression", "state")
        .collect()
    )
    return SourceGroups(tuple(SourceGroup(**row.asDict()) for row in rows))


def languages(sums: Summaries) -> LanguageCounts | None:
    """Languages by documents judged, what of them is in the corpus, and the sum of the rare ones."""
    if "clean" not in sums:
        return None
    judged: dict[str, int] = {}
    for table in ("clean", "rejected"):
        if table in sums:
            for code, group in sums[table].groups.items():
                judged[code] = judged.get(code, 0) + group.rows
    kept = sums["corpus"].groups if "corpus" in sums else None
    rows = [
        Language(
            code=code,
            judged=number,
            kept=None if kept is None else (kept[code].rows if code in kept else 0),
            kept_bytes=None if kept is None else (kept[code].sums["num_bytes"] if code in kept else 0),
        )
        for code, number in judged.items()
    ]
    rows.sort(key=lambda row: (-row.judged, row.code))
    shown, others = rows[:MAX_LANGUAGES], rows[MAX_LANGUAGES:]
    rest = Language(
        code="others",
        judged=sum(row.judged for row in others),
        kept=None if kept is None else sum(row.kept or 0 for row in others),
        kept_bytes=None if kept is None else sum(row.kept_bytes or 0 for row in others),
    )
    return LanguageCounts(tuple(shown), rest if others else None, len(others))


def lengths(sums: Summaries) -> tuple[Lengths, ...]:
    """Lengths of the documents as read and of those in the corpus."""
    return tuple(
        Lengths(name, dict(sorted(sums[name].bins.items())), sums[name].quantiles)
        for name in ("documents", "corpus")
        if name in sums and sums[name].rows
    )


def repairs(sums: Summaries) -> Repairs | None:
    """What cleaning changed in the documents it kept."""
    if "clean" not in sums:
        return None
    totals = sums["clean"].sums
    pii = {kind: totals[f"pii {kind}"] for kind in KINDS if totals[f"pii {kind}"]}
    return Repairs(pii, totals["num_repairs"])


def tokens(tables: Tables, sums: Summaries) -> Tokens | None:
    """The encoded corpus and the splits of the packed sequences."""
    if "tokens" not in sums:
        return None
    made = tables.infos["tokens"].metadata
    target = target_of(made.get("task") or {})
    splits: tuple[Split, ...] = ()
    length = None
    if "sequences" in tables:
        length = tables.infos["sequences"].metadata.get("sequence_length")
        rows = (
            tables.frame("sequences")
            .groupBy("split")
            .agg(F.count("*").alias("sequences"), F.sum("num_tokens").alias("tokens"))
            .orderBy("split")
            .collect()
        )
        splits = tuple(Split(row["split"], int(row["sequences"]), int(row["tokens"])) for row in rows)
    return Tokens(
        total=sums["tokens"].sums["num_tokens"],
        num_bytes=sums["tokens"].sums["num_bytes"],
        vocab_size=made.get("vocab_size"),
        target_vocab_size=None if target is None else target.vocab_size,
        sequence_length=length,
        quantiles=sums["tokens"].quantiles,
        splits=splits,
    )
