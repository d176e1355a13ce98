"""Arrow kernels of packing: documents become fragments of sequences, fragments are joined to sequences.

A fragment is what one task knows of a sequence: most often all of it. It travels as two binary values, its
token ids and its segments, so that the shuffle moves a few hundred bytes a row instead of lists.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.errors import InputError
from pipelines.jit import kernel
from pipelines.pack.best_fit import Placement
from schemas.common import SEGMENTS
from schemas.token_ids import TokenIds, binary_ids, flat_ids, token_type

Ints = npt.NDArray[np.int64]

ID_BYTES = 32
"""Characters of a doc_id."""

SEGMENT = np.dtype([("doc_id", f"S{ID_BYTES}"), ("start", "<i4"), ("end", "<i4"), ("doc_start", "<i8")])
"""A segment in a fragment."""


@dataclass(frozen=True)
class Documents:
    """Documents of one batch, each with its end-of-document token.

    Attributes:
        doc_ids: S32 (documents,).
        tokens: Their tokens, one document after another.
        lengths: Tokens of each.
    """

    doc_ids: npt.NDArray[np.bytes_]
    tokens: TokenIds
    lengths: Ints


@dataclass(frozen=True)
class Fragments:
    """Parts of sequences, as columns.

    Attributes:
        position: Number of the sequence in the stream, int64.
        at: Token of the sequence that the part begins at, int64.
        tokens: Token ids, binary.
        segments: SEGMENT records, binary.
    """

    position: Ints
    at: Ints
    tokens: pa.BinaryArray
    segments: pa.BinaryArray


def read_documents(batch: pa.RecordBatch, end_id: int, token_bytes: int) -> Documents:
    """The documents of a batch with columns doc_id and input_ids.

    Args:
        batch: The batch.
        end_id: Token that is put behind every document.
        token_bytes: Bytes of a stored token id.
    """
    ids, inner = flat_ids(batch.column("input_ids"), token_bytes)
    return Documents(_doc_ids(batch.column("doc_id")), _with_end(ids, inner, end_id), inner + 1)


def cut(documents: Documents, start: Ints, sequence_length: int) -> Fragments:
    """The fragments of documents that follow each other in a stream which is cut evenly.

    Args:
        documents: The documents.
        start: Position in the stream of each one's first token; they rise, and may leave gaps.
        sequence_length: Tokens in a sequence.
    """
    lengths = documents.lengths
    first = start // sequence_length
    count = (start + lengths - 1) // sequence_length - first + 1
    document = np.repeat(np.arange(len(start)), count)
    position = first[document] + np.arange(len(document)) - np.repeat(np.cumsum(count) - count, count)
    begin = np.maximum(start[document], position * sequence_length)
    end = np.minimum((start + lengths)[document], (position + 1) * sequence_length)
    # A new fragment begins with a new sequence, and where the stream has a gap.
    breaks = (position[1:] != position[:-1]) | (begin[1:] != end[:-1])
    heads = np.concatenate([[0], np.flatnonzero(breaks) + 1])
    at = begin - position * sequence_length
    segments = _segments(documents, document, at, end - begin, begin - start[document])
    return _fragments(position[heads], at[heads], documents.tokens, end - begin, segments, heads)


def arrange(documents: Documents, placement: Placement, first: int) -> Fragments:
    """The sequences of a bucket whose chunks were placed, each one fragment.

    Args:
        documents: All documents of the bucket.
        placement: Where their chunks go.
        first: Number of the bucket's first sequence.
    """
    document, lengths = placement.document, placement.length
    starts = np.cumsum(documents.lengths) - documents.lengths
    tokens = np.empty_like(documents.tokens)
    _gather(documents.tokens, starts[document] + placement.doc_start, lengths, tokens)
    heads = np.flatnonzero(placement.at == 0)
    segments = _segments(documents, document, placement.at, lengths, placement.doc_start)
    position = first + placement.sequence[heads]
    return _fragments(position, placement.at[heads], tokens, lengths, segments, heads)


def join(
    fragments: pa.RecordBatch, heads: Ints, sequence_length: int, end_id: int, token_bytes: int
) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Token ids, numbers of tokens and segments of the sequences of fragments.

    Args:
        fragments: Columns tokens and segments, sorted by sequence and `at`, whole sequences.
        heads: Index of the first fragment of each sequence.
        sequence_length: Tokens in a sequence; a shorter one is padded.
        end_id: Token that pads.
        token_bytes: Bytes of a stored token id.
    """
    ids, lengths = flat_ids(fragments.column("tokens"), token_bytes)
    filled = np.add.reduceat(lengths, heads)
    if np.any(filled != sequence_length):
        matrix = np.full((len(heads), sequence_length), end_id, ids.dtype)
        _scatter(ids, filled, matrix)
        ids = matrix.reshape(-1)
    rows = binary_ids(ids, np.full(len(heads), sequence_length, np.int64))
    records, counts = _records(fragments.column("segments"))
    num_segments = np.add.reduceat(counts, heads)
    offsets = np.concatenate([[0], np.cumsum(num_segments)]).astype(np.int32)
    struct = pa.StructArray.from_arrays(
        [
            _strings(records["doc_id"]),
            pa.array(np.ascontiguousarray(records["start"])),
            pa.array(np.ascontiguousarray(records["end"])),
            pa.array(np.ascontiguousarray(records["doc_start"])),
        ],
        fields=list(SEGMENTS.value_type),
    )
    return rows, pa.array(filled.astype(np.int32)), pa.ListArray.from_arrays(pa.array(offsets), struct)


def _fragments(
    position: Ints, at: Ints, tokens: TokenIds, lengths: Ints, segments: npt.NDArray[np.void], heads: Ints
) -> Fragments:
    counts = np.diff(np.append(heads, len(lengths)))
    sizes = np.add.reduceat(lengths, heads)
    return Fragments(position, at, binary_ids(tokens, sizes), _records_as_binary(segments, counts))


def _segments(
    documents: Documents, document: Ints, at: Ints, lengths: Ints, doc_start: Ints
) -> npt.NDArray[np.void]:
    segments = np.empty(len(document), SEGMENT)
    segments["doc_id"] = documents.doc_ids[document]
    segments["start"], segments["end"], segments["doc_start"] = at, at + lengths, doc_start
    return segments


def _records_as_binary(records: npt.NDArray[np.void], counts: Ints) -> pa.BinaryArray:
    offsets = np.concatenate([[0], np.cumsum(counts * SEGMENT.itemsize)]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(records.view(np.uint8))]
    return pa.Array.from_buffers(pa.binary(), len(counts), buffers)


def _records(column: pa.BinaryArray) -> tuple[npt.NDArray[np.void], Ints]:
    _, offsets_buffer, values = column.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[column.offset : column.offset + len(column) + 1]
    sizes = np.diff(offsets).astype(np.int64) // SEGMENT.itemsize
    return np.frombuffer(values, SEGMENT, int(sizes.sum()), int(offsets[0])), sizes


def _doc_ids(column: pa.StringArray) -> npt.NDArray[np.bytes_]:
    _, offsets_buffer, values = column.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[column.offset : column.offset + len(column) + 1]
    if np.any(np.diff(offsets) != ID_BYTES):
        odd = next(value for value in column.to_pylist() if len(value.encode()) != ID_BYTES)
        raise InputError(f"doc_id {odd!r} has not the {ID_BYTES} characters of an id; ingest the input again")
    if not len(column):
        return np.empty(0, f"S{ID_BYTES}")
    return np.frombuffer(values, f"S{ID_BYTES}", len(column), int(offsets[0]))


def _strings(doc_ids: npt.NDArray[np.bytes_]) -> pa.StringArray:
    offsets = np.arange(len(doc_ids) + 1, dtype=np.int32) * np.int32(ID_BYTES)
    values = np.ascontiguousarray(doc_ids).view(np.uint8)
    return pa.Array.from_buffers(
        pa.string(), len(doc_ids), [None, pa.py_buffer(offsets), pa.py_buffer(values)]
    )


def _with_end(ids: TokenIds, lengths: Ints, end_id: int) -> TokenIds:
    tokens = np.full(len(ids) + len(lengths), end_id, token_type(ids.itemsize))
    _spread(ids, lengths, tokens)
    return tokens


@kernel
def _spread(source: TokenIds, lengths: Ints, target: TokenIds) -> None:
    """Copies runs of the given lengths, leaving one place free behind each."""
    begin, place = 0, 0
    for length in lengths:
        target[place : place + length] = source[begin : begin + length]
        begin += length
        place += length + 1


@kernel
def _gather(source: TokenIds, starts: Ints, lengths: Ints, target: TokenIds) -> None:
    """Copies runs that begin anywhere behind each other."""
    place = 0
    for number in range(len(starts)):
        begin, length = starts[number], lengths[number]
        target[place : place + length] = source[begin : begin + length]
        place += length


@kernel
def _scatter(source: TokenIds, lengths: Ints, target: TokenIds) -> None:
    """Copies runs that follow each other to the beginnings of the rows of a matrix."""
    begin = 0
    for row in range(len(lengths)):
        length = lengths[row]
        target[row, :length] = source[begin : begin + length]
        begin += length
