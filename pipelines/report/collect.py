"""Collects what the report says: one function a section, each gives small typed values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from conf import RunConfig
from conf.urls import without_secrets
from pipelines.added import every_stage, every_table
from pipelines.lake import Lake, Ledger, RunRecord
from pipelines.report import clusters, content, flow, learning, overlaps, removed
from pipelines.report.answers import answers
from pipelines.report.cost import cost
from pipelines.report.facts import Facts, TableState
from pipelines.report.origin import origin
from pipelines.report.summary import Tables
from pipelines.run.artefacts import NOTED, files_identity, is_left
from ringlake.base.storage import File


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
    is_scored = is_own(records, lake, "evaluate", lake.evaluation)
    return Facts(
        name=config.name,
        lake=without_secrets(config.lake),
        written_at=datetime.now(UTC),
        steps=flow.steps(tables, sums, runs, duplicates, tokens, contamination, repeats),
        runs=runs,
        missing=tuple(
            stage.name
            for stage in every_stage()
            if stage.is_reported and not stage.is_optional and stage.name not in newest
        ),
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
        evaluation=learning.evaluation(lake) if is_scored else None,
        answers=answers(lake) if is_scored else None,
        cost=cost(newest, config.cost, tokens.total if tokens is not None else None),
        samples=learning.samples(lake) if is_own(records, lake, "generate", lake.samples) else (),
    )


def is_own(records: Sequence[RunRecord], lake: Lake, stage: str, file: File) -> bool:
    """Whether a file is the one that the newest run of its stage left, of the newest training's model."""
    succeeded = [record for record in records if record.state == "succeeded"]
    own = [at for at, record in enumerate(succeeded) if record.stage == stage]
    trained = [at for at, record in enumerate(succeeded) if record.stage == "train"]
    if not own or (trained and trained[-1] > own[-1]):
        return False
    noted = succeeded[own[-1]].details.get(NOTED)
    return noted is None or is_left(noted, files_identity(lake, [file]))


def _table_states(tables: Tables) -> tuple[TableState, ...]:
    known = every_table()
    return tuple(
        TableState(info.name, known[info.name].meaning, info.version, info.rows, info.bytes)
        for info in tables.infos.values()
    )
