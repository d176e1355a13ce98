"""The stage: `tokens` in, `sequences` out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from conf.pack import PackConfig
from pipelines.errors import InputError
from pipelines.pack.best_fit import place
from pipelines.pack.fragments import Documents, Fragments, arrange, cut, join, read_documents
from pipelines.pack.order import Ints, Streams, by_bucket, in_buckets, measure, offsets
from pipelines.stage_output import STATISTICS_OF, StageOutput
from pipelines.worker import Kernel, in_warm_worker
from ringlake.base.permutation import Permutation
from ringlake.base.seeds import Purpose, derive_seed
from schemas.sequences import SEQUENCES
from schemas.token_ids import token_bytes

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MOST_FILES = 16_384
"""Files of a split. Each gets rows from every task of the shuffle before it: 11,000 tasks, as 1 TB of text
has, give 100 million blocks of 5 KB; 140,000 files of 8,192 sequences would make it 1.6 billion of 0.3 KB.
Training reads a footer of each file and keeps 16 bytes a row group in every rank."""

_FRAGMENTS = pa.schema(
    [
        pa.field("split", pa.string(), nullable=False),
        pa.field("sequence_id", pa.int64(), nullable=False),
        pa.field("file", pa.int32(), nullable=False),
        pa.field("at", pa.int32(), nullable=False),
        pa.field("tokens", pa.binary(), nullable=False),
        pa.field("segments", pa.binary(), nullable=False),
    ]
)

Batches = Iterable[pa.RecordBatch]


def pack(
    tokens: DataFrame,
    config: PackConfig,
    eod_id: int,
    vocab_size: int,
    num_bytes: int | None = None,
    first_ids: Mapping[str, int] | None = None,
) -> StageOutput:
    """Packs the documents of each split into sequences of fixed length.

    Every token of every document, and one end-of-document token behind each, lies in exactly one
    sequence. By concatenation the documents form one stream, which is cut evenly; the last sequence of a
    split is padded. By best fit no document is cut that fits a sequence; sequences are padded where
    nothing else fits. `num_tokens` says how far a sequence is filled. sequence_id is a keyed permutation of
    the position, so that neighbours in the stream are not neighbours in training. Rows come sorted,
    partitioned so that a file holds the sequence_ids k * rows_per_file up to the next multiple;
    `details` say how many those are and how many a row group is to have, see `widened`.

    Args:
        tokens: Table `tokens`; with a column `copy`, rows of a document are copies of it, each packed.
        config: The section `pack`.
        eod_id: Token that ends a document.
        vocab_size: Entries of the tokenizer.
        num_bytes: Bytes of a stored token id; None: as few as the vocabulary needs.
        first_ids: The sequence_id that each split begins with, where these are added to others; None or a
            split that is not there: 0.

    Raises:
        InputError: There are no documents.
    """
    if "copy" not in tokens.columns:
        tokens = tokens.withColumn("copy", F.lit(0))
    streams = measure(tokens, config.seed)
    if not streams.tokens:
        raise InputError("there are no tokens to pack: the corpus is empty")
    length, bits = config.sequence_length, streams.bucket_bits
    form = (eod_id, num_bytes or token_bytes(vocab_size))
    if config.method == "concat":
        counts, bases = _plan_stream(config, streams)
    else:
        counts, bases = _plan_best_fit(tokens, config, streams)
    config = widened(config, max(counts.values()))
    first_file, num_files = {}, 0
    for split, count in counts.items():
        first_file[split] = num_files
        num_files += -(-count // config.rows_per_file)
    label = _labeller(config, counts, first_file, first_ids or {})
    cutter = (_stream_cutter if config.method == "concat" else _best_fitter)(length, form, bases, label)
    columns = tokens.select("split", "doc_id", "copy", "input_ids")
    fragments = (
        in_buckets(columns, config.seed, bits, counts)
        .mapInArrow(in_warm_worker(cutter), from_arrow_schema(_FRAGMENTS))
        .repartitionById(num_files, F.col("file"))
    )
    sequences = fragments.sortWithinPartitions("sequence_id", "at").mapInArrow(
        in_warm_worker(_joiner(length, form)), SEQUENCES.spark_schema()
    )
    padding = {split: counts[split] * length - total for split, total in streams.tokens.items()}
    return StageOutput(
        tables={SEQUENCES.name: sequences},
        details={
            "method": config.method,
            "sequences_by_split": counts,
            "padding_tokens": padding,
            "num_files": num_files,
            "rows_per_file": config.rows_per_file,
            "rows_per_group": config.rows_per_group,
        },
    )


def widened(config: PackConfig, num_sequences: int) -> PackConfig:
    """The section with files and row groups that are doubled until a split has at most `MOST_FILES` files.

    Both, so that a file has as many row groups: for each block that training reads it may have to read a
    footer, which is as long as they are many.

    Args:
        config: The section `pack`.
        num_sequences: Sequences of the largest split.
    """
    factor = 1
    while -(-num_sequences // (factor * config.rows_per_file)) > MOST_FILES:
        factor *= 2
    wide = {name: factor * getattr(config, name) for name in ("rows_per_file", "rows_per_group")}
    return config.model_copy(update=wide)


def write_settings(config: PackConfig) -> dict[str, str]:
    """Spark settings for writing `sequences`: rows in order, row groups of exactly rows_per_group rows."""
    row_bytes = 8 * config.sequence_length
    return {
        "parquet.block.row.count.limit": str(config.rows_per_group),
        # The limit in bytes must not cut a row group short.
        "parquet.block.size": str(max(128 * 2**20, 2 * config.rows_per_group * row_bytes)),
        # No two sequences are alike. Statistics of their beginnings are enough to tell contents apart.
        "parquet.enable.dictionary#input_ids": "false",
        "parquet.enable.dictionary#segments.list.element.doc_id": "false",
        "parquet.statistics.truncate.length": "64",
        STATISTICS_OF: "sequence_id,num_tokens",
        # Documents and fragments are small; batches are also cut by bytes.
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
        # Without concurrent writers, Spark sorts a task's rows by the partition column, the split. That
        # sort interleaves the rows once it spills to disk; each task writes one split and needs none.
        "spark.sql.maxConcurrentOutputFileWriters": "2",
        "spark.databricks.delta.optimizeWrite.enabled": "false",
    }


def packed_totals(sequences: DataFrame) -> tuple[int, int]:
    """Documents that begin in the sequences (each copy does so once), and tokens without padding."""
    # Only this field of the segments is read from the files. What a lambda filters is interpreted row by row;
    # removing a value is compiled.
    starts = F.col("segments.doc_start")
    begins = F.size(starts) - F.size(F.array_remove(starts, 0))
    row = sequences.agg(F.sum(begins), F.sum("num_tokens")).first()
    return (int(row[0] or 0), int(row[1] or 0)) if row is not None else (0, 0)


def _plan_stream(config: PackConfig, streams: Streams) -> tuple[dict[str, int], dict[str, Ints]]:
    """Sequences of each split, and the position in the stream at which each bucket begins."""
    counts = {split: -(-total // config.sequence_length) for split, total in streams.tokens.items()}
    return counts, offsets(streams.bucket_tokens)


def _plan_best_fit(
    tokens: DataFrame, config: PackConfig, streams: Streams
) -> tuple[dict[str, int], dict[str, Ints]]:
    """Sequences of each split, and the number of each bucket's first one: places the lengths alone."""
    length = config.sequence_length

    def count(batches: Batches) -> Iterator[pa.RecordBatch]:
        for (split, bucket), parts in _by_bucket(batches):
            lengths = np.concatenate([part.column("num_tokens").to_numpy() for part in parts]) + 1
            values = [[split], [bucket], [place(lengths, length).num_sequences]]
            yield pa.RecordBatch.from_arrays(
                [pa.array(values[0]), pa.array(values[1], pa.int32()), pa.array(values[2], pa.int64())],
                names=["split", "bucket", "sequences"],
            )

    columns = tokens.select("split", "doc_id", "copy", "num_tokens")
    counted = in_buckets(columns, config.seed, streams.bucket_bits, streams.tokens).mapInArrow(
        in_warm_worker(count), "split string, bucket int, sequences long"
    )
    found = by_bucket([tuple(row) for row in counted.collect()], streams.bucket_bits)
    return {split: int(found[split].sum()) for split in streams.tokens}, offsets(found)


def _labeller(
    config: PackConfig, counts: dict[str, int], first_file: dict[str, int], first_ids: Mapping[str, int]
) -> Callable[[str, Fragments], pa.RecordBatch]:
    """What turns fragments of a split into rows: with their place in the shuffle and their file."""
    shuffles: dict[str, Permutation] = {}

    def label(split: str, fragments: Fragments) -> pa.RecordBatch:
        if split not in shuffles:
            shuffles[split] = Permutation(counts[split], derive_seed(config.seed, Purpose.SEQUENCE_ORDER))
        ids = shuffles[split](fragments.position)
        return pa.RecordBatch.from_arrays(
            [
                pa.DictionaryArray.from_arrays(np.zeros(len(ids), np.int32), [split]).dictionary_decode(),
                pa.array(ids + first_ids.get(split, 0)),
                pa.array((first_file[split] + ids // config.rows_per_file).astype(np.int32)),
                pa.array(fragments.at.astype(np.int32)),
                fragments.tokens,
                fragments.segments,
            ],
            schema=_FRAGMENTS,
        )

    return label


def _stream_cutter(
    length: int, form: tuple[int, int], bases: dict[str, Ints], label: Callable[..., pa.RecordBatch]
) -> Kernel:
    def convert(batches: Batches) -> Iterator[pa.RecordBatch]:
        last, position = None, 0
        for batch in batches:
            for key, part in _runs(batch):
                documents = read_documents(part, *form)
                if key != last:
                    last, position = key, int(bases[key[0]][key[1]])
                ends = position + np.cumsum(documents.lengths)
                yield label(key[0], cut(documents, ends - documents.lengths, length))
                position = int(ends[-1])

    return convert


def _best_fitter(
    length: int, form: tuple[int, int], bases: dict[str, Ints], label: Callable[..., pa.RecordBatch]
) -> Kernel:
    def convert(batches: Batches) -> Iterator[pa.RecordBatch]:
        for (split, bucket), parts in _by_bucket(batches):
            read = [read_documents(part, *form) for part in parts]
            documents = Documents(
                np.concatenate([part.doc_ids for part in read]),
                np.concatenate([part.tokens for part in read]),
                np.concatenate([part.lengths for part in read]),
            )
            placement = place(documents.lengths, length)
            yield label(split, arrange(documents, placement, int(bases[split][bucket])))

    return convert


def _runs(batch: pa.RecordBatch) -> Iterator[tuple[tuple[str, int], pa.RecordBatch]]:
    """The parts of a sorted batch that belong to one (split, bucket) each."""
    if not batch.num_rows:
        return
    split = batch.column("split").dictionary_encode()
    codes, buckets = split.indices.to_numpy(), batch.column("bucket").to_numpy()
    heads = np.flatnonzero((np.diff(codes) != 0) | (np.diff(buckets) != 0)) + 1
    names = split.dictionary.to_pylist()
    for first, end in zip([0, *heads.tolist()], [*heads.tolist(), batch.num_rows], strict=True):
        yield (names[codes[first]], int(buckets[first])), batch.slice(first, end - first)


def _by_bucket(batches: Batches) -> Iterator[tuple[tuple[str, int], list[pa.RecordBatch]]]:
    """The parts of each (split, bucket), which may reach over several batches, together."""
    last, parts = None, []
    for batch in batches:
        for key, part in _runs(batch):
            if last is not None and key != last:
                yield last, parts
                parts = []
            last = key
            parts.append(part)
    if last is not None:
        yield last, parts


def _joiner(length: int, form: tuple[int, int]) -> Kernel:
    def convert(batches: Batches) -> Iterator[pa.RecordBatch]:
        rest: pa.RecordBatch | None = None
        for batch in batches:
            if not batch.num_rows:
                continue
            fragments = batch if rest is None else pa.concat_batches([rest, batch])
            heads = _heads(fragments)
            # The last sequence may go on in the next batch.
            last = int(heads[-1])
            rest = fragments.slice(last)
            if last:
                yield _rows(fragments.slice(0, last), heads[:-1], length, form)
        if rest is not None:
            yield _rows(rest, np.zeros(1, np.int64), length, form)

    return convert


def _heads(fragments: pa.RecordBatch) -> Ints:
    """Indices at which a sequence begins, in fragments of one split sorted by sequence_id."""
    ids = fragments.column("sequence_id").to_numpy()
    return np.concatenate([[0], np.flatnonzero(np.diff(ids)) + 1])


def _rows(fragments: pa.RecordBatch, heads: Ints, length: int, form: tuple[int, int]) -> pa.RecordBatch:
    input_ids, num_tokens, segments = join(fragments, heads, length, *form)
    places = pa.array(heads)
    columns: dict[str, Any] = {
        "split": fragments.column("split").take(places),
        "sequence_id": fragments.column("sequence_id").take(places),
        "input_ids": input_ids,
        "num_tokens": num_tokens,
        "segments": segments,
    }
    schema = SEQUENCES.arrow_schema()
    return pa.RecordBatch.from_arrays(
        [columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema
    )
