"""Collects what the report says: one function a section, each gives small typed values."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import SparkSession

from conf import RunConfig
from pipelines.lake import Lake, Ledger
from pipelines.report import clusters, content, flow, learning, overlaps, removed
from pipelines.report.facts import STAGES, Facts, TableState
from pipelines.report.origin import origin
from pipelines.report.summary import Tables
from schemas import TABLES


def collect(
    spark: SparkSession, lake: Lake, config: RunConfig, run_file: str, overrides: tuple[str, ...]
) -> Facts:
    """Everything the report says about a lake, as far as the lake has come.

    Spark does the sums; what comes back is a row a rule, a language, a bin, and the few documents shown.
    """
    tables = Tables(spark, lake)
    records = Ledger(lake).records()
    newest = flow.newest(records)
    versions = {name: info.version for name, info in tables.infos.items()}
    runs = flow.stage_runs(records, versions)
    sums = content.summaries(tables)
    chars = config.report.excerpt_chars
    num_clusters = sums["corpus"].sums["clusters"] if "corpus" in sums else 0
    duplicates = clusters.duplicates(tables, num_clusters, config.report.num_clusters, chars)
    tokens = content.tokens(tables, sums)
    contamination = overlaps.contamination(tables, newest.get("dedup"), chars)
    repeats = overlaps.repeats(tables, newest.get("dedup"), chars)
    return Facts(
        name=config.name,
        lake=config.lake,
        written_at=datetime.now(UTC),
        steps=flow.steps(tables, sums, runs, duplicates, tokens, contamination, repeats),
        runs=runs,
        missing=tuple(stage for stage in STAGES if stage not in newest),
        failures=flow.failures(records),
        tables=_table_states(tables),
        origin=origin(spark, config, newest, run_file, overrides),
        sources=content.sources(tables),
        quarantine=removed.quarantine(tables),
        rejections=removed.rejections(tables, config.report.examples_per_rule, chars),
        repairs=content.repairs(sums),
        duplicates=duplicates,
        contamination=contamination,
        repeats=repeats,
        languages=content.languages(sums),
        lengths=content.lengths(sums),
        tokens=tokens,
        training=learning.training(lake, newest.get("train")),
        evaluation=learning.evaluation(lake) if "evaluate" in newest else None,
        samples=learning.samples(lake) if "generate" in newest else (),
    )


def _table_states(tables: Tables) -> tuple[TableState, ...]:
    return tuple(
        TableState(info.name, TABLES[info.name].meaning, info.version, info.rows, info.bytes)
        for info in tables.infos.values()
    )
