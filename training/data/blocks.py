"""Reads blocks of sequences from their row groups, and checks what it reads.

A snapshot's files are immutable. So what was found right in a row group stays right while a reader lives: one
byte a row group says what need not be looked at again, and which columns need not be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ringlake.base.storage import arrow_filesystem
from schemas.token_ids import ID_BITS, LEARNED, TokenIds, id_matrix
from training.data.layout import COLUMN_TYPES, Layout, RowSlice
from training.errors import DataError

MAX_OPEN_FILES = 64
"""Files that a reading thread keeps open: to open one and parse its footer takes about as long as reading a
row group of 256 sequences of 1024 tokens. A footer takes some 100 KB of memory."""

_UNREAD, _CHECKED, _FULL = 0, 1, 2
"""What is known of a row group: nothing; all of it was checked; and no row of it has padding."""

_COLUMNS = {_UNREAD: list(COLUMN_TYPES), _CHECKED: ["input_ids", "num_tokens"], _FULL: ["input_ids"]}
"""What is read of a row group of which so much is known. Only its own data, never a statistic of its footer,
lets a column be left out."""


class Block(NamedTuple):
    """Rows of consecutive sequence ids, to be read only.

    Attributes:
        input_ids: uint16 or uint32 (rows, sequence_length), in Arrow's own memory.
        num_tokens: int32 (rows,): tokens of a row that are not padding.
    """

    input_ids: TokenIds
    num_tokens: npt.NDArray[np.int32]


class RowGroupState:
    """What the threads of a reader have found out of its row groups.

    Args:
        layout: The row groups.
        vocab_size: Token ids must be below it.
    """

    def __init__(self, layout: Layout, vocab_size: int) -> None:
        self.length = layout.sequence_length
        self.token_bytes = layout.token_bytes
        self.vocab_size = vocab_size
        self.groups = bytearray(len(layout.row_groups))


class BlockFiles:
    """The files of a layout, for one thread.

    Args:
        state: Shared with the other threads.
    """

    def __init__(self, state: RowGroupState) -> None:
        self._state = state
        self._open = lru_cache(MAX_OPEN_FILES)(_open_file)

    def read(self, parts: Sequence[RowSlice]) -> Block:
        """The rows of some parts of row groups as one block, without an object a row.

        Raises:
            DataError: A row group cannot be read or does not hold what the layout says.
        """
        if len(parts) == 1:
            return self._read_part(parts[0])
        blocks = [self._read_part(part) for part in parts]
        return Block(
            np.concatenate([block.input_ids for block in blocks]),
            np.concatenate([block.num_tokens for block in blocks]),
        )

    def _read_part(self, part: RowSlice) -> Block:
        state = self._state
        known = state.groups[part.number]
        try:
            file = self._open(part.path)
            table = file.read_row_group(part.row_group, columns=_COLUMNS[known], use_threads=False)
        except MemoryError:
            raise  # Arrow's own is an ArrowException too; the file may be good
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{_place(part)} cannot be read: {' '.join(str(error).split())}") from None
        if table.num_rows < part.end:
            raise DataError(
                f"{_place(part)} has {table.num_rows} rows, but its footer said {part.end} or more; the file "
                f"was changed from outside, pack the sequences again"
            )
        column = table.column("input_ids")
        values = column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
        try:
            # Always: it takes microseconds, and rows of a wrong length would shift all that follow.
            tokens = id_matrix(values, state.token_bytes, state.length)
        except ValueError as error:
            raise DataError(f"{_place(part)}: {error}") from None
        if known == _UNREAD:
            known = state.groups[part.number] = _check(table, tokens, part, state)
        if known == _FULL:
            counts = _full_counts(len(tokens), state.length)
        else:
            counts = table.column("num_tokens").to_numpy()
        return Block(tokens[part.start : part.end], counts[part.start : part.end])


def _open_file(location: str) -> pq.ParquetFile:
    filesystem, path = arrow_filesystem(location)
    return pq.ParquetFile(filesystem.open_input_file(path))


@lru_cache(maxsize=8)
def _full_counts(rows: int, length: int) -> npt.NDArray[np.int32]:
    counts = np.full(rows, length, np.int32)
    counts.flags.writeable = False
    return counts


def _check(table: pa.Table, tokens: TokenIds, part: RowSlice, state: RowGroupState) -> int:
    """Check all rows of a row group; returns what is known of it then.

    A thread that computes beside this one gets the interpreter's lock whenever a call here gives it up, and
    keeps it for milliseconds: so there are few such calls.
    """
    if any(column.null_count for column in table.itercolumns()):
        raise DataError(
            f"{_place(part)}: sequence_id or num_tokens of a row is null; pack the sequences again"
        )
    first = part.first_id - part.start
    ids = table.column("sequence_id").to_numpy()
    if not (ids == np.arange(first, first + len(ids))).all():
        raise DataError(f"{_place(part)}: rows are not in order of sequence_id from {first}; pack again")
    counts = table.column("num_tokens").to_numpy()
    low, high = int(counts.min()), int(counts.max())
    if low < 1 or high > state.length:
        raise DataError(f"{_place(part)}: num_tokens must lie in 1 to {state.length}, but is {low} to {high}")
    # Ids of two bytes cannot exceed the largest vocabulary that has such: one look is saved.
    if state.vocab_size < 2 ** (8 * state.token_bytes) and int(tokens.max()) >= state.vocab_size:
        # Of the examples of a task, what is given are tokens; what is learned may be a class or a place.
        given = tokens[tokens < LEARNED] & ID_BITS if state.token_bytes == 4 else tokens
        if int(given.max(initial=0)) >= state.vocab_size:
            raise DataError(
                f"{_place(part)}: token ids {int(given.min())} to {int(given.max())} do not fit a vocabulary "
                f"of {state.vocab_size}; the table was made with another tokenizer, tokenize again"
            )
    return _FULL if low == state.length else _CHECKED


def _place(part: RowSlice) -> str:
    return f"{part.path}, row group {part.row_group}"
