"""What was found right in a row group is not looked at again; what was not looked at is never trusted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.tables import random_tokens, write_sequences
from training.data import blocks
from training.data.blocks import BlockFiles, RowGroupState
from training.data.layout import Layout, read_layout
from training.errors import DataError

LENGTH, VOCAB = 8, 64
TOKENS = random_tokens(40, LENGTH, VOCAB, seed=2)
ALL, PADDED, FULL = ("sequence_id", "input_ids", "num_tokens"), ("input_ids", "num_tokens"), ("input_ids",)


class Noting:
    """A Parquet file that notes which columns are read."""

    def __init__(self, file: pq.ParquetFile, read: list[tuple[str, ...]]) -> None:
        self._file, self._read = file, read

    def read_row_group(self, number: int, columns: Sequence[str], use_threads: bool) -> pa.Table:
        self._read.append(tuple(columns))
        return self._file.read_row_group(number, columns=columns, use_threads=use_threads)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    original = blocks._open_file
    monkeypatch.setattr(blocks, "_open_file", lambda location: Noting(original(location), found))
    return found


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Three row groups of 16, 16 and 8 rows; the last row has padding."""
    return read_layout(write_sequences(tmp_path, TOKENS, last_num_tokens=3))


def test_only_what_a_row_group_was_seen_to_hold_is_left_out(
    layout: Layout, read: list[tuple[str, ...]]
) -> None:
    files = BlockFiles(RowGroupState(layout, VOCAB))
    for turn, columns in ((0, [ALL, ALL]), (1, [FULL, PADDED]), (2, [FULL, PADDED])):
        read.clear()
        for first, end in ((16, 32), (32, 40)):
            block = files.read(layout.slices(first, end))
            assert np.array_equal(block.input_ids, TOKENS[first:end]), turn
            last = 3 if end == 40 else LENGTH
            assert block.num_tokens.tolist() == [LENGTH] * (end - first - 1) + [last]
        assert read == columns


def test_threads_of_a_reader_share_what_they_know_and_other_readers_do_not(
    layout: Layout, read: list[tuple[str, ...]]
) -> None:
    state = RowGroupState(layout, VOCAB)
    for files in (BlockFiles(state), BlockFiles(state), BlockFiles(RowGroupState(layout, VOCAB))):
        files.read(layout.slices(0, 16))
    assert read == [ALL, FULL, ALL]


def test_a_part_of_a_row_group_is_checked_as_a_whole(layout: Layout, read: list[tuple[str, ...]]) -> None:
    files = BlockFiles(RowGroupState(layout, VOCAB))
    for first, end in ((10, 20), (3, 6), (30, 40)):
        block = files.read(layout.slices(first, end))
        assert np.array_equal(block.input_ids, TOKENS[first:end])
    assert read == [ALL, ALL, FULL, FULL, ALL]


def test_a_fault_stays_unknown_and_is_found_again(tmp_path: Path) -> None:
    snapshot = write_sequences(tmp_path, TOKENS[:32])
    path = snapshot.files[0].path
    table = pq.read_table(path)
    wrong = table.set_column(2, "num_tokens", pa.array([8] * 31 + [9], pa.int32()))
    pq.write_table(wrong, path, row_group_size=16)
    layout = read_layout(snapshot)
    files = BlockFiles(RowGroupState(layout, VOCAB))
    for _ in range(3):
        files.read(layout.slices(0, 16))
        with pytest.raises(DataError, match="num_tokens must lie in 1 to 8, but is 8 to 9"):
            files.read(layout.slices(16, 32))


def test_rows_of_another_length_are_refused_at_any_time(layout: Layout) -> None:
    """Even if a file was changed from outside: rows would be shifted."""
    state = RowGroupState(layout, VOCAB)
    part = layout.slices(0, 16)
    BlockFiles(state).read(part)
    table = pq.read_table(part[0].path)
    rows = [row[: 6 if number == 3 else 16] for number, row in enumerate(table["input_ids"].to_pylist())]
    changed = table.set_column(1, "input_ids", pa.array(rows, pa.binary()))
    pq.write_table(changed, part[0].path, row_group_size=16)
    with pytest.raises(DataError, match="a row of input_ids has 3 tokens, but sequences have 8"):
        BlockFiles(state).read(part)


def test_a_row_group_that_became_shorter_is_refused(layout: Layout) -> None:
    part = layout.slices(0, 16)
    table = pq.read_table(part[0].path)
    pq.write_table(table.slice(0, 12), part[0].path)
    with pytest.raises(DataError, match="has 12 rows, but its footer said 16 or more"):
        BlockFiles(RowGroupState(layout, VOCAB)).read(part)
