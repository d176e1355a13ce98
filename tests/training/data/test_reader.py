"""The reader hands out exactly what the plan says, from any step on, with bounded memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.token_ids import stored
from tests.training.tables import random_tokens, write_sequences
from training.data import stream
from training.data.blocks import Block, BlockFiles
from training.data.layout import Layout, RowSlice, read_layout
from training.data.plan import SamplePlan
from training.data.reader import SequenceReader
from training.data.schedule import sequential_schedule, training_schedule
from training.data.snapshot import Snapshot
from training.errors import DataError

NUM_SEQUENCES, LENGTH, VOCAB = 330, 8, 64
TOKENS = random_tokens(NUM_SEQUENCES, LENGTH, VOCAB, seed=1)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder = tmp_path_factory.mktemp("sequences")
    return write_sequences(folder, TOKENS, rows_per_group=16, rows_per_file=64, last_num_tokens=3)


@pytest.fixture(scope="module")
def layout(snapshot: Snapshot) -> Layout:
    return read_layout(snapshot)


def plan_of(layout: Layout, shards: int = 4, batch: int = 12, seed: int = 5) -> SamplePlan:
    return SamplePlan(layout.num_sequences, seed, batch, shards, layout.block_rows)


def expected_rows(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    return TOKENS[ids]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(
    start=st.integers(0, 90),
    world_size=st.sampled_from([1, 2, 4]),
    seed=st.integers(0, 100),
    reads_ahead=st.booleans(),
)
def test_batches_are_the_plans_from_any_step_on(
    layout: Layout, start: int, world_size: int, seed: int, reads_ahead: bool
) -> None:
    plan = plan_of(layout, seed=seed)
    steps = range(start, start + plan.steps_per_epoch + 3)
    rank = seed % world_size
    schedule = training_schedule(plan, rank, world_size, steps.start, steps.stop)
    with SequenceReader(layout, schedule, VOCAB, reads_ahead) as reader:
        for step, batch in zip(steps, reader, strict=True):
            assert batch.step == step
            assert batch.sequence_ids.tolist() == plan.rank_batch(step, rank, world_size).tolist()
            assert np.array_equal(batch.input_ids, expected_rows(batch.sequence_ids))
            full = batch.sequence_ids != NUM_SEQUENCES - 1
            assert (batch.num_tokens[full] == LENGTH).all()
            assert (batch.num_tokens[~full] == 3).all()


def test_blocks_need_not_be_row_groups(snapshot: Snapshot, layout: Layout) -> None:
    """A table that was compacted later has other row groups; the order is the plan's all the same."""
    merged = pa.concat_tables([pq.read_table(file.path) for file in snapshot.files]).sort_by("sequence_id")
    path = Path(snapshot.files[0].path).parent / "merged.parquet"
    pq.write_table(merged, path, row_group_size=23)
    other = read_layout(replace(snapshot, files=(replace(snapshot.files[0], path=str(path), num_rows=330),)))
    assert other.block_rows == 23
    plan = plan_of(other)
    with SequenceReader(other, training_schedule(plan, 0, 1, 0, 40), VOCAB) as reader:
        for step, batch in enumerate(reader):
            assert batch.sequence_ids.tolist() == np.concatenate(plan.batch(step)).tolist()
            assert np.array_equal(batch.input_ids, expected_rows(batch.sequence_ids))


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 100, NUM_SEQUENCES])
def test_evaluation_reads_each_sequence_once(layout: Layout, world_size: int, count: int) -> None:
    seen: list[int] = []
    for rank in range(world_size):
        schedule = sequential_schedule(count, 7, layout.block_rows, rank, world_size)
        with SequenceReader(layout, schedule, VOCAB) as reader:
            for batch in reader:
                assert len(batch.sequence_ids) <= 7
                assert np.array_equal(batch.input_ids, expected_rows(batch.sequence_ids))
                seen += batch.sequence_ids.tolist()
    assert seen == list(range(count))


def test_a_rank_without_rows_gets_an_empty_batch(tmp_path: Path) -> None:
    small = read_layout(write_sequences(tmp_path, TOKENS[:5], rows_per_group=2))
    plan = SamplePlan(5, seed=1, global_batch_size=4, canonical_shards=4, block_rows=2)
    sizes = []
    for rank in range(4):
        with SequenceReader(small, training_schedule(plan, rank, 4, 0, 2), VOCAB) as reader:
            sizes.append([batch.input_ids.shape for batch in reader])
    assert sorted(shape for shapes in sizes for shape in shapes) == [(0, LENGTH)] * 3 + [(1, LENGTH)] * 5


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """First ids of the blocks that were read, in order."""
    found: list[int] = []
    original = BlockFiles.read

    def noting(self: BlockFiles, parts: Sequence[RowSlice]) -> Block:
        found.append(parts[0].first_id)
        return original(self, parts)

    monkeypatch.setattr(BlockFiles, "read", noting)
    return found


@pytest.mark.parametrize(
    ("reads_ahead", "at_once", "ahead"),
    [
        pytest.param(False, 1, 0, id="without threads a block is read when it is needed"),
        pytest.param(False, 3, 0, id="small blocks are read three at a time"),
        pytest.param(True, 1, 4, id="large blocks: one ahead for each of 4 lanes"),
        pytest.param(True, 3, 6, id="small blocks: two requests of 3"),
    ],
)
def test_each_row_group_is_read_about_once_an_epoch_and_few_are_ahead(
    layout: Layout,
    reads: list[int],
    monkeypatch: pytest.MonkeyPatch,
    reads_ahead: bool,
    at_once: int,
    ahead: int,
) -> None:
    for name in ("REQUEST_BYTES", "UNTHREADED_BYTES"):
        monkeypatch.setattr(stream, name, at_once * 16 * LENGTH * 2)
    plan = plan_of(layout)
    schedule = training_schedule(plan, 0, 1, 0, plan.steps_per_epoch)
    used: set[int] = set()
    with SequenceReader(layout, schedule, VOCAB, reads_ahead) as reader:
        for batch in reader:
            used |= set((batch.sequence_ids // 16).tolist())
            # Used blocks, those in use twice at a shard border, the rest of a request, and those ahead.
            assert len(reads) <= len(used) + 3 + at_once - 1 + ahead
    assert len(set(reads)) == 21
    assert len(reads) <= 21 + 3


def test_few_bytes_are_ahead_however_small_the_blocks(tmp_path: Path, reads: list[int]) -> None:
    length, rows = 1024, 3000
    tokens = np.zeros((rows, length), np.int32)
    layout = read_layout(write_sequences(tmp_path, tokens, rows_per_group=1, rows_per_file=rows))
    with SequenceReader(layout, sequential_schedule(rows, 8, 1, 0, 1), VOCAB, reads_ahead=True) as reader:
        for batch in reader:
            used = (batch.step + 1) * 8
            requests = stream.MIN_AHEAD + 1
            assert (len(reads) - used) * length * 2 <= requests * stream.REQUEST_BYTES


@pytest.mark.parametrize("reads_ahead", [False, True])
def test_threads_end_when_the_reader_is_left_early(layout: Layout, reads_ahead: bool) -> None:
    before = threading.active_count()
    with SequenceReader(
        layout, training_schedule(plan_of(layout), 0, 1, 0, 1000), VOCAB, reads_ahead
    ) as reader:
        next(reader)
        assert reader.wait_seconds > 0
        assert threading.active_count() == before + reads_ahead
    assert threading.active_count() == before


def test_ranks_that_share_the_cores_of_a_host_read_without_threads(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores = len(os.sched_getaffinity(0))
    before = threading.active_count()
    for ranks, threads in ((cores, 0), (1, int(cores > 1))):
        monkeypatch.setenv("HOROVOD_LOCAL_SIZE", str(ranks))
        with SequenceReader(layout, training_schedule(plan_of(layout), 0, 1, 0, 9), VOCAB) as reader:
            next(reader)
            assert threading.active_count() == before + threads


def read_all(snapshot: Snapshot, vocab: int = VOCAB) -> None:
    """With a reading thread and without: both must find a fault."""
    layout = read_layout(snapshot)
    schedule = sequential_schedule(layout.num_sequences, 8, layout.block_rows, 0, 1)
    found = []
    for reads_ahead in (False, True):
        try:
            with SequenceReader(layout, schedule, vocab, reads_ahead) as reader:
                for _ in reader:
                    pass
        except DataError as error:
            found.append(error)
    assert len({str(error) for error in found}) <= 1
    assert len(found) in (0, 2)
    if found:
        raise found[0]


def change(folder: Path, column: str, value: pa.Array) -> Snapshot:
    snapshot = write_sequences(folder, TOKENS[:32], rows_per_file=32)
    path = snapshot.files[0].path
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index(column), column, value), path, row_group_size=16)
    return snapshot


def test_a_row_of_another_length_is_refused(tmp_path: Path) -> None:
    rows = [bytes(stored(row)) for row in TOKENS[:32]]
    rows[20] = rows[20][:10]
    with pytest.raises(
        DataError, match=r"row group 1: a row of input_ids has 5 tokens, but sequences have 8"
    ):
        read_all(change(tmp_path, "input_ids", pa.array(rows, pa.binary())))


def test_a_null_row_is_refused(tmp_path: Path) -> None:
    rows = [*(bytes(stored(row)) for row in TOKENS[:31]), None]
    with pytest.raises(DataError, match="row group 1: a row of input_ids is null"):
        read_all(change(tmp_path, "input_ids", pa.array(rows, pa.binary())))


def test_a_row_that_holds_half_an_id_is_refused(tmp_path: Path) -> None:
    rows = [bytes(stored(row)) for row in TOKENS[:31]] + [b"123"]
    with pytest.raises(DataError, match="does not hold whole ids of 2 bytes"):
        read_all(change(tmp_path, "input_ids", pa.array(rows, pa.binary())))


@pytest.mark.parametrize(("vocab", "dtype"), [(2**16, np.uint16), (2**16 + 1, np.uint32)])
def test_ids_come_as_they_are_stored(tmp_path: Path, vocab: int, dtype: type[np.generic]) -> None:
    tokens = random_tokens(20, LENGTH, vocab)
    tokens[0, 0] = vocab - 1
    layout = read_layout(write_sequences(tmp_path, tokens, vocab_size=vocab))
    with SequenceReader(layout, sequential_schedule(20, 20, layout.block_rows, 0, 1), vocab) as reader:
        batch = next(reader)
    assert batch.input_ids.dtype == dtype
    assert np.array_equal(batch.input_ids, tokens)


def test_token_ids_beyond_the_vocabulary_are_refused(tmp_path: Path) -> None:
    snapshot = write_sequences(tmp_path, TOKENS[:32])
    with pytest.raises(DataError, match=r"token ids \d+ to 63 do not fit a vocabulary of 63"):
        read_all(snapshot, vocab=63)


def test_num_tokens_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"num_tokens must lie in 1 to 8, but is 8 to 9"):
        read_all(change(tmp_path, "num_tokens", pa.array([8] * 31 + [9], pa.int32())))


@pytest.mark.parametrize("column", ["num_tokens", "sequence_id"])
def test_nulls_are_refused(tmp_path: Path, column: str) -> None:
    kind = {"num_tokens": pa.int32(), "sequence_id": pa.int64()}[column]
    values = [None if row == 20 else 8 if column == "num_tokens" else row for row in range(32)]
    with pytest.raises(DataError, match="row group 1: sequence_id or num_tokens of a row is null"):
        read_all(change(tmp_path, column, pa.array(values, kind)))


def test_rows_out_of_order_in_a_group_are_refused(tmp_path: Path) -> None:
    ids = [*range(30), 31, 30]
    with pytest.raises(DataError, match="row group 1: rows are not in order of sequence_id from 16"):
        read_all(change(tmp_path, "sequence_id", pa.array(ids, pa.int64())))


def test_a_lane_that_takes_the_same_blocks_in_every_batch_reads_them_each_time(tmp_path: Path) -> None:
    small = read_layout(write_sequences(tmp_path, TOKENS[:2], rows_per_group=1))
    plan = SamplePlan(2, seed=1, global_batch_size=2, canonical_shards=1, block_rows=1)
    with SequenceReader(small, training_schedule(plan, 0, 1, 0, 12), VOCAB) as reader:
        for batch in reader:
            assert batch.sequence_ids.tolist() == plan.batch(batch.step)[0].tolist()
            np.testing.assert_array_equal(batch.input_ids, expected_rows(batch.sequence_ids))
