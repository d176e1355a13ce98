"""Arrow kernels of packing: documents are cut into pieces, pieces are joined into sequences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.common import SEGMENTS

Ints = npt.NDArray[np.int64]

PIECES = pa.schema(
    [
        pa.field("split", pa.string(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("at", pa.int32(), nullable=False),
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("doc_start", pa.int64(), nullable=False),
        pa.field("tokens", pa.list_(pa.int32()), nullable=False),
    ]
)
"""A piece: the part of a document that lies in one sequence, at token `at` of sequence number `position`."""


@dataclass(frozen=True)
class Joined:
    """Sequences joined from sorted pieces, as columns in the order of the sequences."""

    split: pa.Array
    sequence_id: pa.Array
    input_ids: pa.Array
    num_tokens: pa.Array
    segments: pa.Array


def cut(batch: pa.RecordBatch, sequence_length: int, end_id: int) -> pa.RecordBatch:
    """The pieces of a batch of documents, in order.

    Args:
        batch: Columns split, doc_id, input_ids (list of int32), start (position in the stream).
        sequence_length: Tokens in a sequence.
        end_id: Token that ends every document.

    Returns:
        A batch with the schema PIECES; the pieces of a document together are its tokens and the end token.
    """
    tokens, lengths = _with_end(batch.column("input_ids"), end_id)
    start = batch.column("start").to_numpy()
    first = start // sequence_length
    count = (start + lengths - 1) // sequence_length - first + 1
    document = np.repeat(np.arange(len(start)), count)
    position = first[document] + _ranks(count)
    begin = np.maximum(start[document], position * sequence_length)
    end = np.minimum((start + lengths)[document], (position + 1) * sequence_length)
    offsets = np.concatenate([[0], np.cumsum(end - begin)]).astype(np.int32)
    return pa.RecordBatch.from_arrays(
        [
            batch.column("split").take(pa.array(document)),
            pa.array(position),
            pa.array((begin - position * sequence_length).astype(np.int32)),
            batch.column("doc_id").take(pa.array(document)),
            pa.array(begin - start[document]),
            pa.ListArray.from_arrays(pa.array(offsets), pa.array(tokens)),
        ],
        schema=PIECES,
    )


def join(pieces: pa.RecordBatch, sequence_length: int, end_id: int) -> Joined:
    """The sequences of pieces that are sorted by (split, sequence_id, at) and complete.

    Args:
        pieces: Columns of PIECES and sequence_id.
        sequence_length: Tokens in a sequence; a shorter one, the last of its split, is padded.
        end_id: Token that pads.
    """
    ids = pieces.column("sequence_id").to_numpy()
    splits = pieces.column("split")
    heads = group_starts(pieces)
    lists = pieces.column("tokens")
    lengths = np.diff(lists.offsets.to_numpy()).astype(np.int64)
    filled = np.add.reduceat(lengths, heads)
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    matrix = np.full((len(heads), sequence_length), end_id, dtype=np.int32)
    matrix[np.arange(sequence_length) < filled[:, None]] = flat
    at = pieces.column("at").to_numpy()
    segments = pa.StructArray.from_arrays(
        [
            pieces.column("doc_id"),
            pa.array(at),
            pa.array((at + lengths).astype(np.int32)),
            pieces.column("doc_start"),
        ],
        fields=list(SEGMENTS.value_type),
    )
    bounds = np.append(heads, len(ids)).astype(np.int32)
    rows = np.arange(len(heads) + 1, dtype=np.int32) * np.int32(sequence_length)
    return Joined(
        split=splits.take(pa.array(heads)),
        sequence_id=pa.array(ids[heads]),
        input_ids=pa.ListArray.from_arrays(pa.array(rows), pa.array(matrix.ravel())),
        num_tokens=pa.array(filled.astype(np.int32)),
        segments=pa.ListArray.from_arrays(pa.array(bounds), segments),
    )


def group_starts(pieces: pa.RecordBatch) -> Ints:
    """Indices at which a new sequence begins, in pieces sorted by (split, sequence_id)."""
    ids = pieces.column("sequence_id").to_numpy()
    split = pieces.column("split").dictionary_encode().indices.to_numpy()
    changes = (np.diff(ids) != 0) | (np.diff(split) != 0)
    return np.concatenate([[0], np.flatnonzero(changes) + 1]).astype(np.int64)


def _with_end(ids: pa.ListArray, end_id: int) -> tuple[npt.NDArray[np.int32], Ints]:
    """All tokens of the documents with the end token behind each, and the documents' lengths."""
    offsets = ids.offsets.to_numpy().astype(np.int64)
    inner = np.diff(offsets)
    flat = ids.values.slice(offsets[0], offsets[-1] - offsets[0]).to_numpy(zero_copy_only=False)
    tokens = np.insert(flat, offsets[1:] - offsets[0], np.int32(end_id)).astype(np.int32, copy=False)
    return tokens, inner + 1


def _ranks(counts: Ints) -> Ints:
    """0, 1, ... count-1 for each count in turn."""
    total = int(counts.sum())
    return np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
