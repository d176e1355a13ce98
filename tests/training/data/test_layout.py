"""The layout finds every sequence, and refuses tables that training could not read faithfully."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.tables import random_tokens, write_sequences
from training.data import footers
from training.data.footers import GROUP
from training.data.layout import join_layouts, make_layout, read_layout
from training.data.snapshot import DataFile, Snapshot
from training.errors import DataError


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return write_sequences(tmp_path / "t", random_tokens(150, 8, 64), rows_per_group=16, rows_per_file=64)


def rewrite(snapshot: Snapshot, number: int, table: pa.Table, **options: object) -> Snapshot:
    path = snapshot.files[number].path
    pq.write_table(table, path, **options)
    files = list(snapshot.files)
    files[number] = DataFile(path, table.num_rows)
    return replace(snapshot, files=tuple(files))


def test_every_id_is_where_the_layout_says(snapshot: Snapshot) -> None:
    layout = read_layout(snapshot)
    assert (layout.num_sequences, layout.block_rows) == (150, 16)
    seen = []
    for part in layout.slices(0, 150):
        ids = pq.ParquetFile(part.path).read_row_group(part.row_group).column("sequence_id").to_pylist()
        seen += ids[part.start : part.end]
        assert ids[part.start] == part.first_id
    assert seen == list(range(150))


def test_a_slice_may_begin_and_end_inside_row_groups(snapshot: Snapshot) -> None:
    parts = read_layout(snapshot).slices(10, 70)
    assert [(part.first_id, part.end - part.start) for part in parts] == [
        (10, 6), (16, 16), (32, 16), (48, 16), (64, 6)
    ]  # fmt: skip


def test_a_missing_file_leaves_a_gap_that_is_named(snapshot: Snapshot) -> None:
    files = sorted(snapshot.files, key=lambda file: pq.read_table(file.path)["sequence_id"][0].as_py())
    with pytest.raises(DataError, match=r"version 0, train: sequence_id 64 to 127 missing"):
        read_layout(replace(snapshot, files=(files[0], files[2])))


def test_a_file_given_twice_is_named(snapshot: Snapshot) -> None:
    with pytest.raises(DataError, match="there twice"):
        read_layout(replace(snapshot, files=(*snapshot.files, snapshot.files[0])))


def test_ids_that_jump_inside_a_row_group_are_refused(snapshot: Snapshot) -> None:
    table = pq.read_table(snapshot.files[0].path)
    doubled = table.set_column(0, "sequence_id", pa.array(np.arange(table.num_rows) * 2))
    with pytest.raises(DataError, match=r"part-.*row group 0: .* rows have sequence_id 0 to"):
        read_layout(rewrite(snapshot, 0, doubled))


def test_missing_statistics_are_refused(snapshot: Snapshot) -> None:
    table = pq.read_table(snapshot.files[0].path)
    with pytest.raises(DataError, match="no statistics"):
        read_layout(rewrite(snapshot, 0, table, write_statistics=False))


def test_rows_that_the_log_does_not_know_are_refused(snapshot: Snapshot) -> None:
    file = snapshot.files[0]
    changed = (DataFile(file.path, file.num_rows + 1), *snapshot.files[1:])
    with pytest.raises(
        DataError, match=rf"{file.num_rows} rows, but the table's log says {file.num_rows + 1}"
    ):
        read_layout(replace(snapshot, files=changed))


@pytest.mark.parametrize("column", ["sequence_id", "input_ids", "num_tokens"])
def test_another_type_or_a_missing_column_is_refused(snapshot: Snapshot, column: str) -> None:
    table = pq.read_table(snapshot.files[0].path)
    with pytest.raises(DataError, match=f"column '{column}' must be .* missing"):
        read_layout(rewrite(snapshot, 0, table.drop_columns([column])))


def test_token_ids_in_lists_are_refused(snapshot: Snapshot) -> None:
    table = pq.read_table(snapshot.files[0].path)
    lists = pa.array([[1] * 8] * table.num_rows, pa.list_(pa.int64()))
    wide = table.set_column(1, "input_ids", lists)
    with pytest.raises(DataError, match=r"'input_ids' must be binary.*int64.*tokenize and pack again"):
        read_layout(rewrite(snapshot, 0, wide))


def test_files_that_are_no_parquet_or_not_there_are_named(snapshot: Snapshot) -> None:
    path = Path(snapshot.files[0].path)
    path.write_bytes(b"PAR1 this is not a table")
    with pytest.raises(DataError, match=path.name):
        read_layout(snapshot)
    path.unlink()
    with pytest.raises(DataError, match=path.name):
        read_layout(snapshot)


def test_no_sequences_at_all_is_refused_with_a_remedy(snapshot: Snapshot) -> None:
    with pytest.raises(DataError, match=r"version 0 has no 'train' sequences"):
        read_layout(replace(snapshot, files=()))


def test_a_fingerprint_is_that_of_the_content_and_not_of_its_place(tmp_path: Path) -> None:
    tokens = random_tokens(150, 8, 64)
    first = read_layout(write_sequences(tmp_path / "first", tokens))
    again = read_layout(write_sequences(tmp_path / "again", tokens, version=7))
    assert again.fingerprint == first.fingerprint
    other = read_layout(write_sequences(tmp_path / "other", random_tokens(150, 8, 64, seed=1)))
    shorter = read_layout(write_sequences(tmp_path / "shorter", tokens[:149]))
    padded = read_layout(write_sequences(tmp_path / "padded", tokens, last_num_tokens=3))
    grouped = read_layout(write_sequences(tmp_path / "grouped", tokens, rows_per_group=8))
    found = {layout.fingerprint for layout in (first, other, shorter, padded, grouped)}
    assert len(found) == 5
    assert join_layouts([first, other]).fingerprint != join_layouts([other, first]).fingerprint


def test_joined_tables_lie_behind_each_other_and_keep_their_own_ids(tmp_path: Path) -> None:
    sizes = (40, 25)
    layouts = [
        read_layout(write_sequences(tmp_path / str(size), random_tokens(size, 8, 64), rows_per_file=32))
        for size in sizes
    ]
    joined = join_layouts(layouts)
    assert joined.num_sequences == 65
    parts = joined.slices(30, 50)
    assert [(Path(part.path).parent.name, part.first_id, part.end - part.start) for part in parts] == [
        ("40", 30, 2), ("40", 32, 8), ("25", 0, 10)
    ]  # fmt: skip


def test_tasks_read_many_footers_job_by_job_and_give_the_same_layout(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[list[int]] = []

    def spread(read: Callable[..., Any], parts: Sequence[Sequence[DataFile]]) -> list[Any]:
        jobs.append([len(part) for part in parts])
        return [pickle.loads(pickle.dumps(read(part))) for part in parts]

    alone = read_layout(snapshot, spread)
    assert not jobs
    monkeypatch.setattr(footers, "FEW_FILES", 1)
    monkeypatch.setattr(footers, "FILES_OF_JOB", 2)
    monkeypatch.setattr(footers, "FILES_OF_TASK", 1)
    spread_out = read_layout(snapshot, spread)
    assert jobs == [[1, 1], [1]]
    for field in fields(alone):
        assert np.array_equal(getattr(alone, field.name), getattr(spread_out, field.name)), field.name
    Path(snapshot.files[2].path).unlink()
    with pytest.raises(DataError, match=rf"version 0: {snapshot.files[2].path} cannot be read"):
        read_layout(snapshot, spread)


def test_a_layout_arrives_as_it_was_and_is_small_on_the_way(snapshot: Snapshot) -> None:
    rows, groups_of_file = 256, 32
    groups = np.zeros(groups_of_file * 100, GROUP)
    groups["first"] = np.arange(len(groups)) * rows
    groups["rows"] = rows
    groups["number"] = np.arange(len(groups)) % groups_of_file
    files = tuple(DataFile(f"part-{number}", rows * groups_of_file) for number in range(100))
    layout = make_layout(replace(snapshot, files=files), np.split(groups, 100))
    stored = pickle.dumps(layout)
    assert len(stored) < len(groups)
    again = pickle.loads(stored)
    for field in fields(layout):
        assert np.array_equal(getattr(layout, field.name), getattr(again, field.name)), field.name
    assert again.slices(8_000, 8_400) == layout.slices(8_000, 8_400)


def test_files_whose_ids_interleave_are_in_order_of_the_ids(tmp_path: Path) -> None:
    snapshot = write_sequences(tmp_path / "t", random_tokens(64, 8, 64), rows_per_group=16, rows_per_file=64)
    whole = pq.read_table(snapshot.files[0].path)
    files = []
    for name, starts in (("a", (32, 0)), ("b", (16, 48))):
        path = tmp_path / f"{name}.parquet"
        pq.write_table(
            pa.concat_tables([whole.slice(start, 16) for start in starts]), path, row_group_size=16
        )
        files.append(DataFile(str(path), 32))
    layout = read_layout(replace(snapshot, files=tuple(files)))
    found = [(Path(part.path).stem, part.row_group) for part in layout.slices(0, 64)]
    assert found == [("a", 1), ("b", 0), ("a", 0), ("b", 1)]
    assert layout.fingerprint == read_layout(snapshot).fingerprint
