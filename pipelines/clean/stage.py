"""The clean stage: `documents` in, `clean` and `rejected` out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf.data import CleanConfig
from pipelines.clean.judge import Judge, Kept, Refused
from pipelines.stage import StageOutput
from pipelines.tagged import TaggedRows, tagged_spark_schema, untag
from schemas.clean import CLEAN
from schemas.rejected import REJECTED

if TYPE_CHECKING:
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
        rows = TaggedRows(TABLES)
        for batch in batches:
            for doc_id, source, source_id, text, target, url in zip(*_columns(batch), strict=True):
                decision = judge.judge(text)
                if isinstance(decision, Kept):
                    row = _clean_row(doc_id, source, source_id, decision, target, url)
                    rows.add(CLEAN.name, row, len(decision.text) + _ROW_BYTES)
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
    doc_id: str, source: str, source_id: str | None, decision: Kept, target: str | None, url: str | None
) -> tuple[Any, ...]:
    return (
        doc_id,
        source,
        source_id,
        decision.text,
        target,
        len(decision.text.encode()),
        url,
        decision.language.code,
        decision.language.score,
        decision.num_words,
        decision.num_emails,
        decision.num_ips,
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
