"""Laws of the sample plan: each id once an epoch, epochs differ, ranks only divide the work."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.plan import SamplePlan
from training.errors import DataError


@st.composite
def plans(draw: st.DrawFn) -> SamplePlan:
    shards = draw(st.integers(1, 12))
    return SamplePlan(
        num_sequences=draw(st.integers(1, 300)),
        seed=draw(st.integers(0, 2**32 - 1)),
        global_batch_size=shards * draw(st.integers(1, 9)),
        canonical_shards=shards,
        block_rows=draw(st.integers(1, 50)),
    )


def epoch_batches(plan: SamplePlan, epoch: int) -> list[list[int]]:
    first = epoch * plan.steps_per_epoch
    return [np.concatenate(plan.batch(first + index)).tolist() for index in range(plan.steps_per_epoch)]


@given(plan=plans(), epoch=st.integers(0, 3))
def test_each_sequence_is_used_exactly_once_an_epoch(plan: SamplePlan, epoch: int) -> None:
    used = [number for batch in epoch_batches(plan, epoch) for number in batch]
    assert sorted(used) == list(range(plan.num_sequences))


@given(plan=plans(), epoch=st.integers(0, 3))
def test_every_batch_but_the_last_is_full(plan: SamplePlan, epoch: int) -> None:
    sizes = [len(batch) for batch in epoch_batches(plan, epoch)]
    shortest_shard = plan.num_sequences // plan.canonical_shards
    full_steps = shortest_shard // plan.rows_per_shard
    assert sizes[:full_steps] == [plan.global_batch_size] * full_steps
    assert len(sizes) - full_steps <= 1
    assert all(0 < size <= plan.global_batch_size for size in sizes)


@given(plan=plans(), data=st.data())
def test_global_batches_do_not_depend_on_the_number_of_ranks(plan: SamplePlan, data: st.DataObject) -> None:
    worlds = [count for count in range(1, 13) if plan.canonical_shards % count == 0]
    step = data.draw(st.integers(0, 3 * plan.steps_per_epoch))
    together = sorted(np.concatenate(plan.batch(step)).tolist())
    for world_size in worlds:
        parts = [plan.rank_batch(step, rank, world_size).tolist() for rank in range(world_size)]
        assert sorted(number for part in parts for number in part) == together
        sizes = [len(part) for part in parts]
        assert max(sizes) - min(sizes) <= plan.canonical_shards // world_size


@given(plan=plans(), steps=st.integers(0, 60))
def test_it_answers_for_its_one_table_as_a_mixture_does_for_several(plan: SamplePlan, steps: int) -> None:
    batches = [np.concatenate(plan.batch(step)) for step in range(steps)]
    split = [plan.by_table(ids) for ids in batches]
    assert plan.num_tables == len(plan.shares) == 1
    assert plan.shares == (1.0,)
    assert plan.count_by_table(steps) == (plan.count_sequences(steps),) == (sum(map(len, batches)),)
    assert [[own.tolist() for own in tables] for tables in split] == [[ids.tolist()] for ids in batches]


@settings(max_examples=30)
@given(plan=plans(), end=st.integers(0, 20), data=st.data())
def test_the_steps_of_a_sequence_are_those_whose_batches_have_it(
    plan: SamplePlan, end: int, data: st.DataObject
) -> None:
    batches = [np.concatenate(plan.batch(step)).tolist() for step in range(end)]
    for number in {0, plan.num_sequences - 1, data.draw(st.integers(0, plan.num_sequences - 1))}:
        assert plan.steps_of(number, end) == [step for step in range(end) if number in batches[step]]


def test_a_sequence_that_is_not_there_has_no_steps() -> None:
    plan = SamplePlan(num_sequences=5, seed=1, global_batch_size=2, canonical_shards=1, block_rows=2)
    for number in (-1, 5):
        with pytest.raises(DataError, match=f"no sequence {number}"):
            plan.steps_of(number, 3)


@given(plan=plans(), step=st.integers(0, 200))
def test_a_step_is_the_whole_state(plan: SamplePlan, step: int) -> None:
    again = SamplePlan(**plan.parameters())
    for earlier in range(max(0, step - 3), step):
        plan.batch(earlier)
    assert [ids.tolist() for ids in plan.batch(step)] == [ids.tolist() for ids in again.batch(step)]


@given(plan=plans(), world_size=st.sampled_from([1, 2, 3, 4]))
def test_a_block_is_split_only_where_a_shard_ends(plan: SamplePlan, world_size: int) -> None:
    """No row group is read by more ranks than need it: S shards have S-1 inner borders."""
    if plan.canonical_shards % world_size:
        world_size = 1
    readers: dict[int, set[int]] = {}
    for shard in range(plan.canonical_shards):
        for step in range(plan.steps_per_epoch):
            for segment in plan.shard_segments(step, shard):
                readers.setdefault(segment.first, set()).add(shard)
                assert set((segment.ids // plan.block_rows * plan.block_rows).tolist()) == {segment.first}
                assert segment.end == min(segment.first + plan.block_rows, plan.num_sequences)
    assert sum(len(shards) - 1 for shards in readers.values()) <= plan.canonical_shards - 1


@given(plan=plans())
def test_a_shard_goes_through_a_block_in_one_go(plan: SamplePlan) -> None:
    for shard in range(plan.canonical_shards):
        blocks = [
            segment.first
            for step in range(plan.steps_per_epoch)
            for segment in plan.shard_segments(step, shard)
        ]
        turns = [block for index, block in enumerate(blocks) if index == 0 or blocks[index - 1] != block]
        assert len(turns) == len(set(turns))


def test_epochs_and_seeds_differ_and_look_random() -> None:
    plan = SamplePlan(4096, seed=3, global_batch_size=32, canonical_shards=4, block_rows=64)
    orders = [np.concatenate([np.array(batch) for batch in epoch_batches(plan, epoch)]) for epoch in range(4)]
    other = SamplePlan(4096, seed=4, global_batch_size=32, canonical_shards=4, block_rows=64)
    orders.append(np.concatenate([np.array(batch) for batch in epoch_batches(other, 0)]))
    for index, order in enumerate(orders):
        for later in orders[index + 1 :]:
            # Two unrelated orders agree in Poisson(1) places; 12 has a probability below 1e-9.
            assert (order == later).sum() < 12


def test_the_partial_block_is_not_always_last() -> None:
    plan = SamplePlan(1000, seed=0, global_batch_size=8, canonical_shards=1, block_rows=64)
    tail = set(range(960, 1000))
    first_uses = []
    for epoch in range(40):
        flat = [number for batch in epoch_batches(plan, epoch) for number in batch]
        first_uses.append(next(index for index, number in enumerate(flat) if number in tail))
    assert len(set(first_uses)) > 8
    assert min(first_uses) < 200
    assert max(first_uses) > 700


@given(
    plan=plans(),
    epochs=st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda pair: pair[0] < pair[1]),
)
def test_epochs_differ(plan: SamplePlan, epochs: tuple[int, int]) -> None:
    """Whatever the blocks and shards; in small plans two orders may be equal by chance, in large ones not."""
    plan = replace(plan, num_sequences=plan.num_sequences + 40)
    first, second = ([number for batch in epoch_batches(plan, epoch) for number in batch] for epoch in epochs)
    assert first != second
    # Nor does an id stay in its place: of n ids Poisson(1) do, in blocks and rows that are both shuffled.
    assert sum(a == b for a, b in zip(first, second, strict=True)) < plan.num_sequences / 2


@given(
    sequences=st.integers(10**9, 10**12),
    shards=st.sampled_from([1, 4, 24]),
    rows=st.integers(1, 8),
    block=st.sampled_from([1, 7, 256, 4096, 10**6]),
    seed=st.integers(0, 2**32 - 1),
    data=st.data(),
)
@settings(max_examples=15)
def test_any_step_of_a_billion_sequences_takes_memory_for_its_batch_only(
    sequences: int, shards: int, rows: int, block: int, seed: int, data: st.DataObject
) -> None:
    plan = SamplePlan(sequences, seed, shards * rows, shards, block)
    step = data.draw(st.integers(0, 3 * plan.steps_per_epoch))
    tracemalloc.start()
    ids = np.concatenate(plan.batch(step))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(set(ids.tolist())) == len(ids) <= plan.global_batch_size
    assert ids.min() >= 0
    assert ids.max() < sequences
    # Orders of the blocks in use are kept, 256 of 4096 ids at most; a larger block is never ordered whole.
    assert peak < 256 * 4096 * 8 + 2_000_000


def test_a_billion_sequences_need_no_memory() -> None:
    tracemalloc.start()
    plan = SamplePlan(10**9, seed=1, global_batch_size=512, canonical_shards=64, block_rows=256)
    for step in (0, 1, plan.steps_per_epoch - 1, plan.steps_per_epoch, 5 * plan.steps_per_epoch + 12345):
        batch = plan.batch(step)
        assert len(batch) == 64
        assert all(ids.min() >= 0 and ids.max() < 10**9 for ids in batch)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


def test_values_are_fixed_for_ever() -> None:
    """A checkpoint's step means these batches; changing them would break every resume."""
    plan = SamplePlan(20, seed=7, global_batch_size=6, canonical_shards=2, block_rows=4)
    assert [[ids.tolist() for ids in plan.batch(step)] for step in (0, 3, 4)] == [
        [[1, 3, 2], [9, 10, 6]],
        [[8], [18]],
        [[17, 18, 16], [3, 1, 4]],
    ]


def test_what_does_not_divide_is_refused_with_values_and_remedy() -> None:
    with pytest.raises(DataError, match=r"global_batch_size = 10 .* .*canonical_shards = 4"):
        SamplePlan(100, seed=1, global_batch_size=10, canonical_shards=4, block_rows=8)
    plan = SamplePlan(100, seed=1, global_batch_size=8, canonical_shards=4, block_rows=8)
    with pytest.raises(DataError, match=r"num_ranks = 3 .*canonical_shards = 4; use 1, 2, 4 ranks"):
        plan.rank_batch(0, 0, 3)
    with pytest.raises(DataError, match="rank 2"):
        plan.rank_batch(0, 2, 2)
    with pytest.raises(DataError, match="num_sequences >= 1, not 0"):
        SamplePlan(0, seed=1, global_batch_size=8, canonical_shards=4, block_rows=8)


@given(plan=plans(), data=st.data())
def test_counting_sequences_equals_adding_up_batches(plan: SamplePlan, data: st.DataObject) -> None:
    steps = data.draw(st.integers(0, 2 * plan.steps_per_epoch + 1))
    assert plan.count_sequences(steps) == sum(len(ids) for step in range(steps) for ids in plan.batch(step))
