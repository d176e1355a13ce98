"""Token ids as `tokens` and `sequences` store them: a binary value a row.

Delta has no unsigned types, and a list costs four bytes a token and its lengths; a binary value is one copy.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

TokenIds = npt.NDArray[np.unsignedinteger[Any]]
"""Token ids as they are stored."""

INPUT_IDS = pa.binary()
"""Ids one after another, little-endian, of `token_bytes` bytes each."""

LEARNED, BEGINS = 1 << 31, 1 << 30
"""Bits of an id of four bytes in the examples of a task: what the model is to give and is not given, and the
first of an example. What is learned need be no token: a class has its number there."""

ID_BITS = BEGINS - 1
"""The bits that are the id."""

WORD_BYTES = 4
"""Bytes of an id that has such bits, however small the vocabulary."""


def token_bytes(vocab_size: int) -> int:
    """Bytes of a token id: 2 if every id of the vocabulary fits, else 4."""
    return 2 if vocab_size <= 2**16 else 4


@lru_cache(maxsize=2)
def token_type(num_bytes: int) -> np.dtype[Any]:
    """The type of token ids of so many bytes."""
    return np.dtype(f"<u{num_bytes}")


def flat_ids(column: pa.BinaryArray, num_bytes: int) -> tuple[TokenIds, npt.NDArray[np.int64]]:
    """The ids of all rows, one after another in the column's own memory, and the number of each row's ids.

    Args:
        column: Rows of `input_ids`, none of them null.
        num_bytes: Bytes of an id.

    Raises:
        ValueError: A row is null or does not hold whole ids.
    """
    dtype = token_type(num_bytes)
    if not len(column):
        return np.empty(0, dtype), np.empty(0, np.int64)
    _, offsets_buffer, values = column.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[column.offset : column.offset + len(column) + 1]
    sizes = np.diff(offsets).astype(np.int64)
    if column.null_count or np.any(sizes % num_bytes):
        raise ValueError(f"a row of input_ids is null or does not hold whole ids of {num_bytes} bytes")
    first, end = int(offsets[0]), int(offsets[-1])
    if first == end:
        return np.empty(0, dtype), sizes
    return np.frombuffer(values, dtype, (end - first) // num_bytes, first), sizes // num_bytes


def id_matrix(column: pa.BinaryArray, num_bytes: int, length: int) -> TokenIds:
    """The ids of rows that all have the same number of them, (rows, length), in the column's own memory.

    Args:
        column: Rows of `input_ids`, none of them null.
        num_bytes: Bytes of an id.
        length: Ids of a row, at least 1.

    Raises:
        ValueError: A row is null, does not hold whole ids, or holds another number of them.
    """
    rows = len(column)
    _, offsets_buffer, values = column.buffers()
    if rows and not column.null_count:
        offsets = np.frombuffer(offsets_buffer, np.int32, rows + 1, 4 * column.offset)
        first = int(offsets[0])
        if (offsets == np.arange(first, first + rows * length * num_bytes + 1, length * num_bytes)).all():
            return np.frombuffer(values, token_type(num_bytes), rows * length, first).reshape(rows, length)
    ids, lengths = flat_ids(column, num_bytes)
    if np.any(lengths != length):
        odd = int(lengths[lengths != length][0])
        raise ValueError(f"a row of input_ids has {odd} tokens, but sequences have {length}")
    return ids.reshape(rows, length)


def tokens_of_examples(
    words: TokenIds, lengths: npt.NDArray[np.int64], *, learns_tokens: bool
) -> tuple[TokenIds, npt.NDArray[np.int64]]:
    """The token ids of the examples of a task without their marks, and the number of each row's.

    Args:
        words: The ids of all rows as they are stored.
        lengths: Number of each row's.
        learns_tokens: Whether what is learned are tokens; else it is left out.

    >>> words = np.array([5 | BEGINS, 7, 1 | LEARNED], np.uint32)
    >>> ids, lengths = tokens_of_examples(words, np.array([3]), learns_tokens=False)
    >>> ids.tolist(), lengths.tolist()
    ([5, 7], [2])
    """
    if learns_tokens:
        return words & np.uint32(ID_BITS), lengths
    kept = (words & LEARNED) == 0
    counts = np.concatenate([[0], np.cumsum(kept)])
    ends = np.cumsum(lengths)
    return words[kept] & np.uint32(ID_BITS), counts[ends] - counts[ends - lengths]


def binary_ids(ids: TokenIds, lengths: npt.NDArray[np.int64]) -> pa.BinaryArray:
    """Rows of `input_ids` over the memory of the ids.

    Args:
        ids: The ids of all rows, one after another.
        lengths: Number of each row's ids.

    Raises:
        ValueError: They have more than the 2 GiB that a column of a batch can hold.
    """
    size = ids.itemsize
    if ids.nbytes > 2**31 - 1:
        raise ValueError(f"{ids.nbytes} bytes of token ids are more than a batch holds (2 GiB)")
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths * size, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(ids))]
    return pa.Array.from_buffers(pa.binary(), len(lengths), buffers)
