"""The stage: `tokens` in, `sequences` out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from conf.data import PackConfig
from pipelines.errors import InputError
from pipelines.pack.order import stream_lengths, with_positions
from pipelines.pack.pieces import PIECES, Joined, cut, group_starts, join
from pipelines.stage import StageOutput
from schemas import SEQUENCES
from training.data.permutation import Permutation, derive_seed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SHUFFLE = 21
"""Purpose of the seed of the global shuffle, so that it is unrelated to other uses of the same seed."""

_PLACED = PIECES.append(pa.field("sequence_id", pa.int64(), nullable=False)).append(
    pa.field("file", pa.int32(), nullable=False)
)

Kernel = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def pack(tokens: DataFrame, config: PackConfig, eod_id: int) -> StageOutput:
    """Concatenates the documents of each split and cuts the stream into sequences of fixed length.

    Every token of every document, and one end-of-document token behind each, lies in exactly one
    sequence; the last sequence of a split is padded, and its `num_tokens` says how far it is filled.
    sequence_id is a keyed permutation of the position in the stream, so that neighbours in the stream
    are not neighbours in training. Rows come sorted, partitioned so that a file holds the sequence_ids
    k * rows_per_file up to the next multiple.

    Args:
        tokens: Table `tokens`; with a column `copy`, rows of a document are copies of it, each packed.
        config: The section `pack`.
        eod_id: Token that ends a document.

    Raises:
        InputError: There are no documents.
    """
    lengths = stream_lengths(tokens)
    if not lengths:
        raise InputError("there are no tokens to pack: the corpus is empty")
    length = config.sequence_length
    counts = {split: -(-total // length) for split, total in sorted(lengths.items())}
    first_file, num_files = {}, 0
    for split, count in counts.items():
        first_file[split] = num_files
        num_files += -(-count // config.rows_per_file)
    copy = tokens["copy"] if "copy" in tokens.columns else F.lit(0).alias("copy")
    placed = with_positions(tokens.select("split", "doc_id", "input_ids", "num_tokens", copy), config.seed)
    pieces = placed.mapInArrow(
        _cutter(config, eod_id, counts, first_file), from_arrow_schema(_PLACED)
    ).repartitionById(num_files, F.col("file"))
    sequences = pieces.sortWithinPartitions("sequence_id", "at").mapInArrow(
        _joiner(length, eod_id), SEQUENCES.spark_schema()
    )
    padding = {split: counts[split] * length - total for split, total in lengths.items()}
    return StageOutput(
        tables={SEQUENCES.name: sequences},
        details={"sequences_by_split": counts, "padding_tokens": padding, "num_files": num_files},
    )


def write_settings(config: PackConfig) -> dict[str, str]:
    """Spark settings for writing `sequences`: rows in order, row groups of exactly rows_per_group rows."""
    row_bytes = 8 * config.sequence_length
    return {
        "parquet.block.row.count.limit": str(config.rows_per_group),
        # The limit in bytes must not cut a row group short.
        "parquet.block.size": str(max(128 * 2**20, 2 * config.rows_per_group * row_bytes)),
        # Without concurrent writers, Spark sorts a task's rows by the partition column, the split. That
        # sort interleaves the rows once it spills to disk; each task writes one split and needs none.
        "spark.sql.maxConcurrentOutputFileWriters": "2",
        "spark.databricks.delta.optimizeWrite.enabled": "false",
    }


def packed_documents(sequences: DataFrame) -> int:
    """Number of documents whose beginning lies in the sequences; each copy of one has exactly one."""
    begins = F.size(F.filter("segments", lambda segment: segment["doc_start"] == 0))
    row = sequences.agg(F.sum(begins)).first()
    return int((row[0] if row is not None else 0) or 0)


def _cutter(config: PackConfig, eod_id: int, counts: dict[str, int], first_file: dict[str, int]) -> Kernel:
    def kernel(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        shuffles = {
            split: Permutation(count, derive_seed(config.seed, _SHUFFLE)) for split, count in counts.items()
        }
        for batch in batches:
            if not batch.num_rows:
                continue
            pieces = cut(batch, config.sequence_length, eod_id)
            position = pieces.column("position").to_numpy()
            splits = np.asarray(pieces.column("split").to_pylist())
            ids = np.zeros(len(position), dtype=np.int64)
            file = np.zeros(len(position), dtype=np.int32)
            for split, shuffle in shuffles.items():
                mine = splits == split
                ids[mine] = shuffle(position[mine])
                file[mine] = first_file[split] + ids[mine] // config.rows_per_file
            yield pa.RecordBatch.from_arrays([*pieces.columns, pa.array(ids), pa.array(file)], schema=_PLACED)

    return kernel


def _joiner(sequence_length: int, eod_id: int) -> Kernel:
    def kernel(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rest: pa.RecordBatch | None = None
        for batch in batches:
            if not batch.num_rows:
                continue
            pieces = batch if rest is None else pa.concat_batches([rest, batch])
            # The last sequence may go on in the next batch.
            last = int(group_starts(pieces)[-1])
            rest = pieces.slice(last)
            if last:
                yield _rows(join(pieces.slice(0, last), sequence_length, eod_id))
        if rest is not None:
            yield _rows(join(rest, sequence_length, eod_id))

    return kernel


def _rows(joined: Joined) -> pa.RecordBatch:
    columns = {
        "split": joined.split,
        "sequence_id": joined.sequence_id,
        "input_ids": joined.input_ids,
        "num_tokens": joined.num_tokens,
        "segments": joined.segments,
    }
    schema = SEQUENCES.arrow_schema()
    return pa.RecordBatch.from_arrays(
        [columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema
    )
