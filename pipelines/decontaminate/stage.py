"""Takes contaminated documents out of the corpus: `corpus` in, `corpus` and `contaminated` out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import StorageLevel
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from conf.decontaminate import DecontaminateConfig
from pipelines.decontaminate.alike import Forms
from pipelines.decontaminate.index import Counts, Index, build_index, search
from pipelines.stage_output import Say, StageOutput, release
from pipelines.worker import Kernel, in_warm_worker
from schemas.contaminated import CONTAMINATED

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import DataFrame

_FOUND = CONTAMINATED.arrow_schema().append(pa.field("ngrams", pa.list_(pa.int64()), nullable=False))

_INPUT_COLUMNS = ("doc_id", "source", "source_id", "num_bytes", "text")

_SLICE_ROWS = 512
"""Documents searched in one call, which bounds its memory."""


def decontaminate(
    corpus: DataFrame,
    config: DecontaminateConfig,
    forms: Forms,
    documents: DataFrame | None = None,
    say: Say = lambda _line: None,
) -> StageOutput:
    """Takes every document out that shares enough word n-grams with an evaluation set.

    The n-grams are those of Brown et al. 2020 (arXiv 2005.14165), appendix C: lower-cased words without
    punctuation, 13 of them; here the whole document leaves, not a window around the n-gram. Both sides of a
    parallel pair are searched. Documents and evaluation texts are compared as `alike` makes them. The search
    is done here; its result is small, persisted, and among the output's `shared`.

    Args:
        corpus: Table `corpus`, or what is about to become it.
        config: The section `decontaminate`, with at least one set.
        forms: Says in which forms an evaluation text may be in `corpus`.
        documents: Where the texts are searched, the documents of `corpus` and perhaps others; None: in
            `corpus`. Naming the frame that `corpus` was chosen from saves computing the corpus twice.
        say: Prints progress.

    Raises:
        InputError: An evaluation set cannot be read or is too large.
    """
    searched = corpus if documents is None else documents
    index, counts = build_index(config, forms)
    num_items, num_sets = len(index.item_ids), len(index.names)
    say(f"    {num_items:,} items of {num_sets} evaluation sets, {len(index.hashes):,} n-grams")
    shipped = searched.sparkSession.sparkContext.broadcast(index)
    found = (
        _text_columns(searched)
        .mapInArrow(in_warm_worker(_searcher(shipped, config)), from_arrow_schema(_FOUND))
        .join(corpus.select("doc_id"), "doc_id", "left_semi")
        .persist(StorageLevel.MEMORY_AND_DISK)
    )
    try:
        details = {"decontamination": {"ngram": config.ngram, "sets": _per_set(found, index, counts)}}
    except BaseException:
        release(found)
        raise
    return StageOutput(
        tables={
            "corpus": corpus.join(found.select("doc_id"), "doc_id", "left_anti").select(*corpus.columns),
            "contaminated": found.select(*CONTAMINATED.column_names),
        },
        shared=(found,),
        details=details,
    )


def _text_columns(documents: DataFrame) -> DataFrame:
    """With the other side of a parallel pair behind the text, as one text."""
    both = F.concat_ws("\n", "text", "target") if "target" in documents.columns else F.col("text")
    return documents.select(*_INPUT_COLUMNS[:-1], both.alias("text"))


def _searcher(index: Broadcast[Index], config: DecontaminateConfig) -> Kernel:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for first in range(0, batch.num_rows, _SLICE_ROWS):
                part = batch.slice(first, _SLICE_ROWS)
                rows = found_rows(part, index.value, config)
                if rows.num_rows:
                    yield rows

    return run


def found_rows(batch: pa.RecordBatch, index: Index, config: DecontaminateConfig) -> pa.RecordBatch:
    """The contaminated documents of a batch: the columns of `contaminated`, and `ngrams`, their hashes.

    Args:
        batch: Columns doc_id, source, source_id, num_bytes and text.
        index: What to search for.
        config: How much overlap counts.
    """
    hits = search(batch["text"], index, config)
    rows = pa.array([hit.row for hit in hits], pa.int64())
    columns: dict[str, Any] = {name: batch[name].take(rows) for name in _INPUT_COLUMNS[:-1]}
    items = [hit.item for hit in hits]
    columns["eval_set"] = pa.array([index.names[index.item_sets[item]] for item in items], pa.string())
    columns["item_id"] = index.item_ids.take(pa.array(items, pa.int64()))
    columns["num_ngrams"] = pa.array([hit.num_ngrams for hit in hits], pa.int64())
    columns["share"] = pa.array([hit.share for hit in hits], pa.float64())
    columns["example"] = pa.array([hit.example for hit in hits], pa.string())
    named = [[index.names[number] for number in hit.sets] for hit in hits]
    columns["eval_sets"] = pa.array(named, pa.list_(pa.string()))
    hashes = [hit.hashes.view(np.int64).tolist() for hit in hits]
    columns["ngrams"] = pa.array(hashes, pa.list_(pa.int64()))
    return pa.RecordBatch.from_arrays([columns[name] for name in _FOUND.names], schema=_FOUND)


def _per_set(found: DataFrame, index: Index, counts: Counts) -> dict[str, dict[str, int]]:
    """What overlapped of each set; the hashes that come to the driver are at most those of the sets."""
    documents = {
        row["name"]: int(row["count"])
        for row in found.select(F.explode("eval_sets").alias("name")).groupBy("name").count().collect()
    }
    shared = found.select(F.explode("ngrams").alias("hash")).distinct().toArrow()
    hashes = pc.cast(shared["hash"], pa.int64()).to_numpy().view(np.uint64)
    pairs = np.isin(counts.hashes, hashes)
    items = np.unique(counts.items[pairs])
    overlapping = np.bincount(index.item_sets[items], minlength=len(index.names))
    return {
        name: {
            "items": fates["items"],
            "items_found": int(overlapping[number]),
            "documents": documents.get(name, 0),
            "texts": fates["ngrams"],
            "short_texts": fates["whole"],
            "texts_too_short": fates["too_short"],
        }
        for number, (name, fates) in enumerate(zip(index.names, counts.num_texts, strict=True))
    }
