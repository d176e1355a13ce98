"""The stage: `clean` in, `trimmed`, `emptied` and `repeats` out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from pyspark import StorageLevel
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from conf.errors import ConfigError
from conf.repeats import RepeatsConfig
from pipelines.repeats.units import Units, excerpts_of, units_of, without
from pipelines.stage_output import Say, StageOutput, release
from pipelines.tagged import MAX_BATCH_ROWS
from pipelines.text.shingles import U64
from pipelines.worker import Kernel, in_warm_worker
from schemas.clean import CLEAN
from schemas.emptied import EMPTIED
from schemas.repeats import REPEATS
from schemas.trimmed import TRIMMED

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import DataFrame

EXCERPT_CHARS = 200

_SLICE_ROWS = 512
"""Documents handled in one call, which bounds its memory."""

_UNITS = "unit_hash long not null, doc_id string not null, occurrences long not null"

_FOUND = pa.list_(
    pa.struct([pa.field("unit_hash", pa.int64(), False), pa.field("excerpt", pa.string(), False)])
)


@dataclass(frozen=True)
class Repeated:
    """The units that are dropped; travels to the executors.

    Attributes:
        hashes: In ascending order, no two alike; uint64 of shape (n,).
        first: `_key_of` of each unit's first document, uint64 of shape (n,).
    """

    hashes: U64
    first: U64


def repeats(clean: DataFrame, config: RepeatsConfig, say: Say = lambda _line: None) -> StageOutput:
    """Drops lines or paragraphs that occur in many documents.

    CCNet (Wenzek et al. 2020, arXiv 1911.00359, section 3.1) does so with paragraphs by 64-bit hashes of
    their normalised text; Llama 3 (arXiv 2407.21783, section 3.1.1) with lines that occur more than 6 times
    in a bucket of documents. Here a unit counts once a document, and documents with a `target` are left as
    they are, because their sides belong together.

    Counting shuffles a hash and a doc_id for each unit and document, summed up before the shuffle, and never
    a text; the hashes to be dropped, at most `config.max_units`, travel to every task. Their counts are
    persisted and among the output's `shared`.

    Args:
        clean: Table `clean`.
        config: The section `repeats`.
        say: Prints progress.

    Raises:
        ConfigError: `config.unit` is null.
    """
    if config.unit is None:
        raise ConfigError("repeats.unit is null, so there is nothing to count; set it to line or paragraph")
    counted = _counted(clean, config).persist(StorageLevel.MEMORY_AND_DISK)
    try:
        least = _least_documents(counted, config)
        if least > config.min_documents:
            say(
                f"    more than repeats.max_units = {config.max_units:,} units are in "
                f"{config.min_documents} documents; those in at least {least:,} are dropped"
            )
        dropped = counted.where(F.col("num_documents") >= least)
        repeated = _collected(dropped)
    except BaseException:
        release(counted)
        raise
    shipped = clean.sparkSession.sparkContext.broadcast(repeated)
    judged = clean.select(*CLEAN.column_names).mapInArrow(
        in_warm_worker(_trimmer(shipped, config)), _judged_schema()
    )
    too_short = (F.col("num_dropped") > 0) & (F.col("words_left") < config.min_document_words)
    excerpts = judged.select(F.inline("found")).withColumnRenamed("unit_hash", "hash")
    stays = F.col("first.occurrences") if config.keep == "first" else F.lit(0)
    table = dropped.join(excerpts, dropped["unit_hash"] == excerpts["hash"]).select(
        "unit_hash",
        "excerpt",
        "num_documents",
        "num_occurrences",
        (F.col("num_occurrences") - stays).alias("num_dropped"),
        F.col("first.doc_id").alias("first_doc_id"),
    )
    emptied = judged.where(too_short).withColumn("num_bytes", F.col("num_bytes") + F.col("bytes_dropped"))
    return StageOutput(
        tables={
            TRIMMED.name: judged.where(~too_short).select(*TRIMMED.column_names),
            EMPTIED.name: emptied.select(*EMPTIED.column_names),
            REPEATS.name: table.select(*REPEATS.column_names),
        },
        shared=(judged, counted),
        details={"units": len(repeated.hashes), "least_documents": least},
    )


def _counted(clean: DataFrame, config: RepeatsConfig) -> DataFrame:
    """Every unit that is in min_documents documents or more: unit_hash, counts, its first document."""
    single = clean.where(F.col("target").isNull()).select("doc_id", "text")
    first = F.min(F.struct("doc_id", "occurrences")).alias("first")
    return (
        single.mapInArrow(in_warm_worker(_unit_counter(config)), _UNITS)
        .groupBy("unit_hash")
        .agg(F.count("*").alias("num_documents"), F.sum("occurrences").alias("num_occurrences"), first)
        .where(F.col("num_documents") >= config.min_documents)
    )


def _least_documents(counted: DataFrame, config: RepeatsConfig) -> int:
    """The least number of documents, from min_documents on, that at most max_units units reach."""
    rows = counted.groupBy("num_documents").count().orderBy(F.desc("num_documents"))
    least, total = config.min_documents, 0
    previous: int | None = None
    for number, count in rows.toLocalIterator():
        total += count
        if total > config.max_units:
            least = previous if previous is not None else number + 1
            break
        previous = number
    return int(least)


def _collected(dropped: DataFrame) -> Repeated:
    """The hashes on the driver: at most `max_units` of them."""
    table = dropped.select("unit_hash", F.col("first.doc_id").alias("doc_id")).toArrow()
    hashes = table["unit_hash"].to_numpy().view(np.uint64)
    order = np.argsort(hashes)
    return Repeated(hashes[order], _keys_of(table["doc_id"].combine_chunks())[order])


def _keys_of(doc_ids: pa.Array) -> U64:
    """A 64-bit hash of each document's id."""
    return np.fromiter(
        (xxhash.xxh3_64_intdigest(doc_id.encode()) for doc_id in doc_ids.to_pylist()),
        dtype=np.uint64,
        count=len(doc_ids),
    )


def _unit_counter(config: RepeatsConfig) -> Kernel:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for part in _parts(batches):
            units = units_of(part["text"], config.unit == "paragraph")
            document = np.repeat(np.arange(part.num_rows), np.diff(units.bounds))
            wanted = units.num_words >= config.min_words
            hashes, document = units.hashes[wanted], document[wanted]
            order = np.lexsort((hashes, document))
            hashes, document = hashes[order], document[order]
            begins = np.ones(len(hashes), dtype=np.bool_)
            begins[1:] = (hashes[1:] != hashes[:-1]) | (document[1:] != document[:-1])
            firsts = np.flatnonzero(begins)
            numbers, counts = hashes[firsts].view(np.int64), np.diff(firsts, append=len(hashes))
            # A document of short lines has millions of units, each with the document's id.
            for start in range(0, len(firsts), MAX_BATCH_ROWS):
                end = start + MAX_BATCH_ROWS
                owners = pa.array(document[firsts[start:end]])
                columns = [
                    pa.array(numbers[start:end]),
                    part["doc_id"].take(owners),
                    pa.array(counts[start:end]),
                ]
                yield pa.RecordBatch.from_arrays(columns, names=["unit_hash", "doc_id", "occurrences"])

    return run


def _judged_schema() -> Any:
    schema = TRIMMED.arrow_schema()
    schema = schema.append(pa.field("words_left", pa.int64(), nullable=False))
    return from_arrow_schema(schema.append(pa.field("found", _FOUND, nullable=False)))


def _trimmer(repeated: Broadcast[Repeated], config: RepeatsConfig) -> Kernel:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for part in _parts(batches):
            yield trimmed(part, repeated.value, config)

    return run


def trimmed(batch: pa.RecordBatch, repeated: Repeated, config: RepeatsConfig) -> pa.RecordBatch:
    """The documents without repeated units.

    Args:
        batch: Columns of `clean`.
        repeated: What goes.
        config: The section `repeats`.

    Returns:
        The columns of `trimmed`; `words_left`; `found`: hash and excerpt of the repeated units whose first
        document this is.
    """
    by_paragraph = config.unit == "paragraph"
    texts = batch["text"]
    units = units_of(texts, by_paragraph)
    document = np.repeat(np.arange(batch.num_rows), np.diff(units.bounds))
    single = np.asarray(batch["target"].is_null())
    place = np.searchsorted(repeated.hashes, units.hashes)
    inside = (place < len(repeated.hashes)) & (units.num_words >= config.min_words) & single[document]
    hit = np.zeros(len(place), dtype=np.bool_)
    hit[inside] = repeated.hashes[place[inside]] == units.hashes[inside]
    own = np.zeros(len(place), dtype=np.bool_)
    own[hit] = repeated.first[place[hit]] == _keys_of(batch["doc_id"])[document[hit]]
    drop = hit & ~own if config.keep == "first" else hit
    lost = np.bincount(document[drop], minlength=batch.num_rows)
    words = np.bincount(document[~drop], weights=units.num_words[~drop], minlength=batch.num_rows)
    kept = without(texts, drop, by_paragraph) if drop.any() else texts
    num_bytes = np.asarray(pc.binary_length(kept), dtype=np.int64)
    before = np.asarray(pc.binary_length(texts), dtype=np.int64)
    columns = {name: batch[name] for name in CLEAN.column_names} | {
        "text": kept,
        "num_bytes": pa.array(num_bytes),
        "num_dropped": pa.array(lost.astype(np.int64)),
        "bytes_dropped": pa.array(before - num_bytes),
        "words_left": pa.array(words.astype(np.int64)),
        "found": _excerpts(texts, units, np.flatnonzero(own), document, config.unit or "line"),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _excerpts(
    texts: pa.Array, units: Units, own: npt.NDArray[np.int64], document: npt.NDArray[np.int64], unit: str
) -> pa.Array:
    """Hash and beginning of each repeated unit, once, in the row of its first document."""
    hashes, first = np.unique(units.hashes[own], return_index=True)
    shown = excerpts_of(texts, own[first], unit == "paragraph", EXCERPT_CHARS)
    rows: list[list[dict[str, Any]]] = [[] for _ in range(len(texts))]
    for number, text, row in zip(hashes.view(np.int64).tolist(), shown, document[own[first]], strict=True):
        rows[row].append({"unit_hash": number, "excerpt": text})
    return pa.array(rows, _FOUND)


def _parts(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for first in range(0, batch.num_rows, _SLICE_ROWS):
            yield batch.slice(first, _SLICE_ROWS)
