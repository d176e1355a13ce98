"""The clean stage: `documents` in, `clean` and `rejected` out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf.data import CleanConfig
from pipelines.clean.judge import Judge, Kept, Refused
from pipelines.clean.resources import Resources
from pipelines.stage import StageOutput
from pipelines.tagged import TaggedRows, tagged_spark_schema, untag
from schemas.clean import CLEAN
from schemas.rejected import REJECTED

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import DataFrame

TABLES = (CLEAN, REJECTED)

_INPUT_COLUMNS = ("doc_id", "source", "source_id", "text", "target", "url")

# About what a row takes besides its text; measures are most of it.
_ROW_BYTES = 2_000


def clean(documents: DataFrame, config: CleanConfig) -> StageOutput:
    """Repairs and judges every document once: it becomes a row of `clean` or of `rejected`, never both.

    Args:
        documents: The table `documents`, or any DataFrame with doc_id, source, source_id, text, target and
            url.
        config: Profile, thresholds, languages, lists, privacy.

    Raises:
        ConfigError: A profile, rule, splitter, language or another name is not known.
        InputError: A list of blocked addresses, words or lines cannot be read.
    """
    # Made here as well, so that a mistake is met before any task starts.
    judge = Judge(config)
    plan = judge.plan
    # Lists may lie where executors do not see them, and may be large: they travel once to each.
    resources = documents.sparkSession.sparkContext.broadcast(judge.resources)
    tagged = documents.select(*_INPUT_COLUMNS).mapInArrow(
        _cleaner(config, resources), tagged_spark_schema(TABLES)
    )
    return StageOutput(
        tables={table.name: untag(tagged, table) for table in TABLES},
        shared=(tagged,),
        details={
            "profile": config.profile,
            "items": [item.name for item in plan.items],
            "thresholds": plan.thresholds,
            "splitter": plan.splitter,
            "languages": sorted(plan.languages),
            "per_language": {
                code: {
                    "items": [item.name for item in own.items],
                    "thresholds": own.thresholds,
                    "splitter": own.splitter,
                    "languages": sorted(own.languages),
                }
                for code, own in judge.plans.by_language.items()
            },
        },
    )


def _cleaner(
    config: CleanConfig, resources: Broadcast[Resources]
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        judge = Judge(config, resources.value)
        rows = TaggedRows(TABLES)
        for batch in batches:
            for doc_id, source, source_id, text, target, url in zip(*_columns(batch), strict=True):
                decision = judge.judge(text, target, url)
                if isinstance(decision, Kept):
                    row = _clean_row(doc_id, source, source_id, decision, url)
                    num_bytes = len(decision.text) + len(decision.target or "") + _ROW_BYTES
                    rows.add(CLEAN.name, row, num_bytes)
                else:
                    row = _rejected_row(doc_id, source, source_id, text, decision)
                    rows.add(REJECTED.name, row, _ROW_BYTES)
                if rows.is_full:
                    yield from rows.flush()
        yield from rows.flush()

    return run


def _columns(batch: pa.RecordBatch) -> list[list[Any]]:
    return [batch.column(name).to_pylist() for name in _INPUT_COLUMNS]


def _clean_row(
    doc_id: str, source: str, source_id: str | None, decision: Kept, url: str | None
) -> tuple[Any, ...]:
    return (
        doc_id,
        source,
        source_id,
        decision.text,
        decision.target,
        len(decision.text.encode()),
        url,
        decision.language.code,
        decision.language.score,
        decision.num_words,
        list(decision.pii.items()),
        decision.num_repairs,
        list(decision.measures.items()),
    )


def _rejected_row(
    doc_id: str, source: str, source_id: str | None, text: str, decision: Refused
) -> tuple[Any, ...]:
    return (
        doc_id,
        source,
        source_id,
        decision.rule,
        decision.value,
        decision.threshold,
        decision.comparison,
        decision.language.code,
        len(text.encode()),
    )
