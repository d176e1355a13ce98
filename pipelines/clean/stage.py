"""The clean stage: `documents` in, `clean` and `rejected` out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.clean import CleanConfig
from pipelines.clean.judge import Decisions, Judge
from pipelines.clean.resources import Resources
from pipelines.stage_output import StageOutput
from pipelines.tagged import tagged_batches, tagged_spark_schema, untag
from pipelines.text.personal_data import KINDS
from pipelines.worker import Kernel, in_warm_worker
from ringlake.base.extensions import Extension, require
from schemas.clean import CLEAN
from schemas.rejected import REJECTED

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import DataFrame

TABLES = (CLEAN, REJECTED)

_INPUT_COLUMNS = ("doc_id", "source", "source_id", "text", "target", "label", "url")


def clean(documents: DataFrame, config: CleanConfig) -> StageOutput:
    """Repairs and judges every document once: it becomes a row of `clean` or of `rejected`, never both.

    Args:
        documents: The table `documents`, or any DataFrame with doc_id, source, source_id, text, target, label
            and url.
        config: Profile, thresholds, languages, lists, privacy.

    Raises:
        ConfigError: A profile, rule, splitter, language or another name is not known.
        ExtensionError: A rule of another package cannot be used.
        InputError: A list of blocked addresses, words or lines cannot be read.
    """
    # Made here as well, so that a mistake is met before any task starts.
    judge = Judge(config)
    plan = judge.plan
    # Lists may lie where executors do not see them, and may be large: they travel once to each.
    resources = documents.sparkSession.sparkContext.broadcast(judge.resources)
    tagged = documents.select(*_INPUT_COLUMNS).mapInArrow(
        _cleaner(config, resources, judge.plans.extensions), tagged_spark_schema(TABLES)
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
    config: CleanConfig, resources: Broadcast[Resources], extensions: tuple[Extension, ...]
) -> Kernel:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        require(extensions)
        judge = Judge(config, resources.value)
        for batch in batches:
            texts = batch.column("text").cast(pa.large_string())
            for found in judge.decide(texts, batch.column("target"), batch.column("url")):
                kept = batch.take(pa.array(found.rows[found.stay]))
                rejected = batch.take(pa.array(found.rows[~found.stay]))
                yield from tagged_batches(TABLES, CLEAN, _clean_columns(kept, found))
                yield from tagged_batches(TABLES, REJECTED, _rejected_columns(rejected, found))

    return in_warm_worker(run)


def _clean_columns(batch: pa.RecordBatch, found: Decisions) -> list[pa.Array]:
    texts = found.texts.cast(pa.string())
    languages = found.languages.take(np.flatnonzero(found.stay))
    return [
        batch.column("doc_id"),
        batch.column("source"),
        batch.column("source_id"),
        texts,
        found.targets.cast(pa.string()),
        batch.column("label"),
        _num_bytes(texts),
        batch.column("url"),
        pa.array(languages.code, pa.string()),
        pa.array(languages.score),
        pa.array(found.num_words),
        _pii(found),
        pa.array(found.num_repairs, pa.int32()),
        _measures(found),
    ]


def _rejected_columns(batch: pa.RecordBatch, found: Decisions) -> list[pa.Array]:
    languages = found.languages.take(np.flatnonzero(~found.stay))
    reasons = found.refused
    return [
        batch.column("doc_id"),
        batch.column("source"),
        batch.column("source_id"),
        pa.array([reason.rule for reason in reasons], pa.string()),
        pa.array([reason.value for reason in reasons], pa.float64()),
        pa.array([reason.threshold for reason in reasons], pa.float64()),
        pa.array([reason.comparison for reason in reasons], pa.string()),
        pa.array(languages.code, pa.string()),
        _num_bytes(batch.column("text")),
    ]


def _num_bytes(texts: pa.Array) -> pa.Array:
    return pc.binary_length(texts).cast(pa.int64())


def _pii(found: Decisions) -> pa.MapArray:
    """Kind to count of the personal data in every document that stays; kinds without any are left out."""
    rows, kinds = np.nonzero(found.pii)
    offsets = np.searchsorted(rows, np.arange(len(found.pii) + 1)).astype(np.int32)
    keys = pa.array(KINDS, pa.string()).take(pa.array(kinds))
    return pa.MapArray.from_arrays(pa.array(offsets), keys, pa.array(found.pii[rows, kinds]))


def _measures(found: Decisions) -> pa.MapArray:
    """Name to value of all that the plan measures, for every document that stays."""
    num_documents, num_values = found.measures.shape
    names = tuple(item.name for item in found.plan.measured)
    offsets = pa.array(np.arange(num_documents + 1, dtype=np.int32) * num_values, pa.int32())
    keys = _repeated(names, num_documents)
    return pa.MapArray.from_arrays(offsets, keys, pa.array(found.measures.ravel()))


@lru_cache(maxsize=16)
def _repeated(names: tuple[str, ...], times: int) -> pa.StringArray:
    """The names, one after the other, so many times."""
    return pa.array(names, pa.string()).take(pa.array(np.tile(np.arange(len(names)), times)))
