"""The clean stage: `documents` in, `clean` and `rejected` out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.data import CleanConfig
from pipelines.clean.judge import Decisions, Judge
from pipelines.clean.profiles import Plan
from pipelines.clean.redact import redact
from pipelines.clean.stats import Values
from pipelines.stage import StageOutput
from pipelines.tagged import tagged_batches, tagged_spark_schema, untag
from schemas.clean import CLEAN
from schemas.rejected import REJECTED

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TABLES = (CLEAN, REJECTED)

_INPUT_COLUMNS = ("doc_id", "source", "source_id", "text", "target", "url")


def clean(documents: DataFrame, config: CleanConfig) -> StageOutput:
    """Repairs and judges every document once: it becomes a row of `clean` or of `rejected`, never both.

    Args:
        documents: The table `documents`, or any DataFrame with doc_id, source, source_id, text, target and
            url.
        config: Profile, thresholds, languages, redaction.

    Raises:
        ConfigError: A profile, rule, splitter or language is not known.
    """
    # Made here as well, so that a mistake is met before any task starts.
    plan = Judge(config).plan
    tagged = documents.select(*_INPUT_COLUMNS).mapInArrow(_cleaner(config), tagged_spark_schema(TABLES))
    return StageOutput(
        tables={table.name: untag(tagged, table) for table in TABLES},
        shared=(tagged,),
        details={
            "profile": config.profile,
            "items": [item.name for item in plan.items],
            "thresholds": plan.thresholds,
            "splitter": plan.splitter,
            "languages": sorted(plan.languages),
        },
    )


def _cleaner(config: CleanConfig) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        judge = Judge(config)
        for batch in batches:
            texts = batch.column("text").cast(pa.large_string())
            found = judge.decide(texts)
            kept = batch.filter(pa.array(found.stay))
            rejected = batch.filter(pa.array(~found.stay))
            yield from tagged_batches(TABLES, CLEAN, _clean_columns(kept, found, judge.plan, config))
            yield from tagged_batches(TABLES, REJECTED, _rejected_columns(rejected, found, judge.plan))

    return run


def _clean_columns(
    batch: pa.RecordBatch, found: Decisions, plan: Plan, config: CleanConfig
) -> list[pa.Array]:
    redacted = [redact(text, config.redact.emails, config.redact.ips) for text in found.texts.to_pylist()]
    texts = pa.array([one.text for one in redacted], pa.string())
    languages = found.languages.take(np.flatnonzero(found.stay))
    return [
        batch.column("doc_id"),
        batch.column("source"),
        batch.column("source_id"),
        texts,
        batch.column("target"),
        _num_bytes(texts),
        batch.column("url"),
        pa.array(languages.code, pa.string()),
        pa.array(languages.score),
        pa.array(found.num_words),
        pa.array([one.num_emails for one in redacted], pa.int32()),
        pa.array([one.num_ips for one in redacted], pa.int32()),
        pa.array(found.num_repairs[found.stay], pa.int32()),
        _measures(found.measures, plan),
    ]


def _rejected_columns(batch: pa.RecordBatch, found: Decisions, plan: Plan) -> list[pa.Array]:
    gone = ~found.stay
    failed = pa.array(found.failed[gone])
    languages = found.languages.take(np.flatnonzero(gone))
    return [
        batch.column("doc_id"),
        batch.column("source"),
        batch.column("source_id"),
        pa.array([rule.name for rule in plan.rules], pa.string()).take(failed),
        pa.array(found.values[gone]),
        pa.array([plan.thresholds[rule.name] for rule in plan.rules], pa.float64()).take(failed),
        pa.array([rule.comparison for rule in plan.rules], pa.string()).take(failed),
        pa.array(languages.code, pa.string()),
        _num_bytes(batch.column("text")),
    ]


def _num_bytes(texts: pa.Array) -> pa.Array:
    return pc.binary_length(texts).cast(pa.int64())


def _measures(values: Values, plan: Plan) -> pa.MapArray:
    """Name to value of all rules for every document, from values of shape (documents, rules)."""
    num_documents, num_rules = values.shape
    names = pa.array([rule.name for rule in plan.rules], pa.string())
    keys = names.take(pa.array(np.tile(np.arange(num_rules), num_documents)))
    offsets = pa.array(np.arange(num_documents + 1, dtype=np.int32) * num_rules, pa.int32())
    return pa.MapArray.from_arrays(offsets, keys, pa.array(values.ravel()))
