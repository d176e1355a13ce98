"""Sequences behind a fsspec URL are read through Petastorm like those on a local disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest

from ringlake.base.storage import arrow_filesystem
from tests.training.tables import random_tokens, write_sequences
from training.data.layout import Layout, join_layouts, read_layout
from training.data.mixture import MixturePlan
from training.data.plan import SamplePlan
from training.data.reader import SequenceReader
from training.data.schedule import Schedule, sequential_schedule, training_schedule
from training.data.snapshot import DataFile, Snapshot
from training.errors import DataError

VOCAB = 64
TOKENS = random_tokens(130, 8, VOCAB, seed=3)


@pytest.fixture
def local(tmp_path: Path) -> Snapshot:
    return write_sequences(tmp_path / "sequences", TOKENS, rows_per_group=16, rows_per_file=48)


@pytest.fixture
def stored(local: Snapshot) -> Iterator[Snapshot]:
    """The same files in an object store that lives in this process; nothing of them is on a disk."""
    store = fsspec.filesystem("memory")
    files = []
    for file in local.files:
        target = f"/bucket/tables/sequences/split=train/{Path(file.path).name}"
        store.pipe_file(target, Path(file.path).read_bytes())
        files.append(DataFile(f"memory:/{target}", file.num_rows))
        Path(file.path).unlink()
    yield replace(local, table="memory://bucket/tables/sequences", files=tuple(files))
    if store.exists("/bucket"):
        store.rm("/bucket", recursive=True)


def batches(layout: Layout, schedule: Schedule) -> Iterator[np.ndarray]:
    with SequenceReader(layout, schedule, VOCAB) as reader:
        for batch in reader:
            assert np.array_equal(batch.input_ids, TOKENS[batch.sequence_ids % len(TOKENS)])
            yield batch.sequence_ids


def test_a_store_without_paths_of_its_own_is_reached_through_fsspec(stored: Snapshot) -> None:
    filesystem, path = arrow_filesystem(stored.files[0].path)
    assert filesystem.type_name.startswith("py::fsspec")
    with filesystem.open_input_file(path) as handle:
        assert handle.read(4) == b"PAR1"


@pytest.mark.parametrize("world_size", [1, 2])
def test_training_batches_are_the_plans(stored: Snapshot, world_size: int) -> None:
    layout = read_layout(stored)
    assert all(path.startswith("memory://") for path in layout.paths)
    plan = SamplePlan(layout.num_sequences, 5, 12, 4, layout.block_rows)
    for rank in range(world_size):
        schedule = training_schedule(plan, rank, world_size, 7, 30)
        for step, ids in enumerate(batches(layout, schedule), start=7):
            assert ids.tolist() == plan.rank_batch(step, rank, world_size).tolist()
        assert step == 29


def test_validation_reads_all_in_order(stored: Snapshot) -> None:
    layout = read_layout(stored)
    schedule = sequential_schedule(130, 7, layout.block_rows, 0, 1)
    assert np.concatenate(list(batches(layout, schedule))).tolist() == list(range(130))


def test_a_store_and_a_disk_are_mixed(stored: Snapshot, tmp_path: Path) -> None:
    near = read_layout(write_sequences(tmp_path / "near", TOKENS, rows_per_group=10))
    far = read_layout(stored)
    plan = MixturePlan((130, 130), (1, 2), 5, 12, 4, (near.block_rows, far.block_rows))
    used = np.concatenate(list(batches(join_layouts([near, far]), training_schedule(plan, 0, 1, 0, 20))))
    assert [len(part) for part in plan.by_table(used)] == [80, 160]


def test_what_is_gone_from_the_store_is_named(stored: Snapshot) -> None:
    fsspec.filesystem("memory").rm_file("/" + stored.files[1].path.removeprefix("memory://"))
    with pytest.raises(DataError, match=rf"version 0: {stored.files[1].path} cannot be read"):
        read_layout(stored)


def test_what_goes_from_the_store_while_it_is_read_is_named(stored: Snapshot) -> None:
    layout = read_layout(stored)
    with pytest.raises(DataError, match=r"memory://bucket/.*, row group \d+ cannot be read"):
        for file in stored.files:
            fsspec.filesystem("memory").rm_file("/" + file.path.removeprefix("memory://"))
        list(batches(layout, sequential_schedule(130, 7, layout.block_rows, 0, 1)))
