"""Documents with several examples of a task, as one row an example: each is packed where it fits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

from pipelines.worker import Kernel, in_warm_worker
from schemas.token_ids import BEGINS, WORD_BYTES, binary_ids, flat_ids

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SPACING = 2**17
"""Numbers between two copies of a document: more than its examples, see `task.max_windows`."""

_ROWS = 100
"""Documents that are taken apart at once; each can have thousands of examples."""


def examples_apart(tokens: DataFrame) -> DataFrame:
    """A row for each example: columns split, doc_id, copy, input_ids, num_tokens.

    Args:
        tokens: Table `tokens` of a task whose documents have several examples; perhaps with `copy`.
    """
    if "copy" not in tokens.columns:
        tokens = tokens.withColumn("copy", F.lit(0))
    columns = tokens.select("split", "doc_id", F.col("copy").cast("long"), "input_ids")
    schema = "split string, doc_id string, copy long, input_ids binary, num_tokens long"
    return columns.mapInArrow(in_warm_worker(_kernel()), schema)


def _kernel() -> Kernel:
    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for low in range(0, batch.num_rows, _ROWS):
                yield _apart(batch.slice(low, _ROWS))

    return convert


def _apart(batch: pa.RecordBatch) -> pa.RecordBatch:
    words, lengths = flat_ids(batch["input_ids"], WORD_BYTES)
    begins = np.flatnonzero(words & BEGINS)
    row = np.searchsorted(np.cumsum(lengths), begins, "right")
    first = np.searchsorted(row, np.arange(batch.num_rows))
    number = np.arange(len(begins)) - first[row]
    sizes = np.diff(np.append(begins, len(words)))
    rows = pa.array(row)
    copy = batch["copy"].to_numpy()[row] * SPACING + number
    return pa.RecordBatch.from_arrays(
        [
            batch["split"].take(rows),
            batch["doc_id"].take(rows),
            pa.array(copy),
            binary_ids(words, sizes),
            pa.array(sizes),
        ],
        names=["split", "doc_id", "copy", "input_ids", "num_tokens"],
    )
