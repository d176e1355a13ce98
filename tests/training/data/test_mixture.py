"""Laws of a mixture: shares are kept at every step, each table is used evenly, ranks only divide the work."""

from __future__ import annotations

import tracemalloc
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conf.mixture import MAX_CYCLE
from tests.training.tables import random_tokens, write_sequences
from training.data.cycle import make_cycle
from training.data.layout import join_layouts, read_layout
from training.data.mixture import MixturePlan
from training.data.reader import SequenceReader
from training.data.schedule import training_schedule
from training.errors import DataError

RATIOS = st.lists(st.integers(1, 40), min_size=1, max_size=5).map(tuple)


@st.composite
def mixtures(draw: st.DrawFn) -> MixturePlan:
    shards = draw(st.integers(1, 8))
    ratio = draw(st.lists(st.integers(1, 12), min_size=2, max_size=4))
    return MixturePlan(
        table_sizes=tuple(draw(st.integers(shards, 90)) for _ in ratio),
        ratio=tuple(ratio),
        seed=draw(st.integers(0, 2**32 - 1)),
        global_batch_size=shards * draw(st.integers(1, 6)),
        canonical_shards=shards,
        block_rows=tuple(draw(st.integers(1, 20)) for _ in ratio),
    )


@given(ratio=RATIOS, lanes=st.integers(1, 9))
@example(ratio=(1, 1), lanes=4)
@example(ratio=(5000, 4999, 1), lanes=3)
def test_after_any_draw_each_count_is_within_one_of_its_share(ratio: tuple[int, ...], lanes: int) -> None:
    cycle, length = make_cycle(ratio, lanes), sum(ratio)
    for lane in range(lanes):
        before = [0] * len(ratio)
        for draws in range(1, min(2 * length, 300) + 1):
            counts = [cycle.count(lane, draws, table) for table in range(len(ratio))]
            assert sum(counts) == draws
            assert all(new - old in (0, 1) for new, old in zip(counts, before, strict=True))
            for count, part in zip(counts, ratio, strict=True):
                assert abs(count - Fraction(draws * part, length)) < 1
            before = counts


@given(ratio=RATIOS, turns=st.integers(0, 10**12), lanes=st.integers(1, 9))
def test_whole_cycles_hold_the_ratio_exactly_however_far(
    ratio: tuple[int, ...], turns: int, lanes: int
) -> None:
    cycle = make_cycle(ratio, lanes)
    for lane in range(lanes):
        counts = [cycle.count(lane, turns * sum(ratio), table) for table in range(len(ratio))]
        assert counts == [turns * part for part in ratio]


def test_shards_start_at_different_places_of_the_cycle() -> None:
    """With one row a shard and batch, a batch would else be of one table."""
    plan = MixturePlan((400, 400), (1, 1), 3, global_batch_size=4, canonical_shards=4, block_rows=(16, 16))
    for step in range(20):
        assert [len(ids) for ids in plan.by_table(np.concatenate(plan.batch(step)))] == [2, 2]


@settings(max_examples=15)
@given(plan=mixtures(), end=st.integers(0, 15))
def test_the_steps_of_a_sequence_are_those_whose_batches_have_it(plan: MixturePlan, end: int) -> None:
    wanted: dict[tuple[int, int], set[int]] = defaultdict(set)
    for step in range(end):
        for table, ids in enumerate(plan.by_table(np.concatenate(plan.batch(step)))):
            for number in ids.tolist():
                wanted[table, number].add(step)
    for table, size in enumerate(plan.table_sizes):
        for number in {0, size // 2, size - 1}:
            assert plan.steps_of(number, end, table) == sorted(wanted[table, number])


@given(plan=mixtures(), steps=st.integers(1, 40))
def test_shares_after_any_number_of_batches_are_within_a_sequence_a_shard(
    plan: MixturePlan, steps: int
) -> None:
    used = np.zeros(plan.num_tables, dtype=int)
    for step in range(steps):
        ids = np.concatenate(plan.batch(step))
        assert len(ids) == plan.global_batch_size
        used += [len(part) for part in plan.by_table(ids)]
        assert tuple(used.tolist()) == plan.count_by_table(step + 1)
        assert used.sum() == plan.count_sequences(step + 1)
        assert sum(plan.shares) == pytest.approx(1)
        for count, part in zip(used.tolist(), plan.ratio, strict=True):
            share = Fraction((step + 1) * plan.global_batch_size * part, sum(plan.ratio))
            assert abs(count - share) < plan.canonical_shards


@given(plan=mixtures())
@settings(max_examples=15)
def test_each_sequence_is_used_exactly_once_in_a_pass_over_its_table(plan: MixturePlan) -> None:
    passes, shards = 2, plan.canonical_shards
    lanes: dict[tuple[int, int], list[int]] = defaultdict(list)
    longest = max(-(-size // shards) * sum(plan.ratio) / part
                  for size, part in zip(plan.table_sizes, plan.ratio, strict=True))  # fmt: skip
    for step in range(int(passes * longest) // plan.rows_per_shard + sum(plan.ratio) + 1):
        for shard, ids in enumerate(plan.batch(step)):
            for table, own in enumerate(plan.by_table(ids)):
                lanes[table, shard] += own.tolist()
    for table, size in enumerate(plan.table_sizes):
        for turn in range(passes):
            used: list[int] = []
            for shard in range(shards):
                # A shard has its part of the table: equal parts, up to the rest of the division.
                part = (shard + 1) * size // shards - shard * size // shards
                used += lanes[table, shard][turn * part : (turn + 1) * part]
            assert sorted(used) == list(range(size)), (table, turn)


@given(plan=mixtures(), step=st.integers(0, 10**9))
def test_a_step_is_the_whole_state_and_ranks_only_divide_it(plan: MixturePlan, step: int) -> None:
    together = [ids.tolist() for ids in MixturePlan(**plan.parameters()).batch(step)]
    for earlier in range(max(0, step - 2), step):
        plan.batch(earlier)
    assert [ids.tolist() for ids in plan.batch(step)] == together
    for world_size in (count for count in range(1, 9) if plan.canonical_shards % count == 0):
        parts = [plan.rank_batch(step, rank, world_size).tolist() for rank in range(world_size)]
        assert sorted(number for part in parts for number in part) == sorted(
            number for shard in together for number in shard
        )
        assert {len(part) for part in parts} == {plan.global_batch_size // world_size}


def test_seeds_passes_and_tables_have_orders_of_their_own() -> None:
    def orders(seed: int) -> list[list[int]]:
        plan = MixturePlan((2048, 2048), (1, 1), seed, 32, 4, (64, 64))
        drawn = [plan.by_table(np.concatenate(plan.batch(step))) for step in range(256)]
        flat = [np.concatenate([pair[table] for pair in drawn]).tolist() for table in range(2)]
        return [part for order in flat for part in (order[:2048], order[2048:])]

    found = orders(1) + orders(2)
    for index, order in enumerate(found):
        for later in found[index + 1 :]:
            # Two unrelated orders agree in Poisson(1) places; 12 has a probability below 1e-9.
            assert sum(a == b for a, b in zip(order, later, strict=True)) < 12


def test_billions_of_sequences_and_the_longest_cycle_need_little_memory() -> None:
    ratio = (MAX_CYCLE - 4000, 3999, 1)
    make_cycle.cache_clear()
    tracemalloc.start()
    plan = MixturePlan((10**9, 3 * 10**9, 10**6), ratio, 1, 512, 64, (256, 1024, 100))
    for step in (0, 1, 10**7, 10**10 + 12345):
        ids = np.concatenate(plan.batch(step))
        assert len(ids) == 512
        assert ids.min() >= 0
        assert ids.max() < 4 * 10**9 + 10**6
    assert sum(plan.count_by_table(10**10)) == 512 * 10**10
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The cycle is 8 bytes a draw and table, and as much again three times while it is made; windows: 8 MiB.
    assert peak < 4 * 8 * 3 * MAX_CYCLE + 12_000_000


def test_values_are_fixed_for_ever() -> None:
    """A checkpoint's step means these batches; changing them would break every resume."""
    plan = MixturePlan((6, 9), (2, 1), seed=7, global_batch_size=4, canonical_shards=2, block_rows=(4, 4))
    assert [[ids.tolist() for ids in plan.batch(step)] for step in (0, 1, 7)] == [
        [[4, 5], [2, 10]],
        [[3, 9], [1, 0]],
        [[1, 8], [2, 4]],
    ]


def test_what_does_not_fit_is_refused_with_values_and_remedy() -> None:
    with pytest.raises(DataError, match=r"table 1 of the mixture has 3 sequences, .*canonical_shards = 4"):
        MixturePlan((9, 3), (1, 1), 1, 8, 4, (4, 4))
    with pytest.raises(DataError, match=r"global_batch_size = 10 .*canonical_shards = 4"):
        MixturePlan((9, 9), (1, 1), 1, 10, 4, (4, 4))
    with pytest.raises(DataError, match=r"ratio >= 1, not \(1, 0\)"):
        MixturePlan((9, 9), (1, 0), 1, 8, 4, (4, 4))
    with pytest.raises(DataError, match="not 1 and 2 for 2 tables"):
        MixturePlan((9, 9), (1,), 1, 8, 4, (4, 4))


@pytest.mark.parametrize(("world_size", "start"), [(1, 0), (2, 11), (4, 40)])
def test_the_reader_hands_out_each_tables_own_rows(tmp_path: Path, world_size: int, start: int) -> None:
    """Real files of three tables with row groups of different sizes, read through Petastorm."""
    tokens = [random_tokens(size, 8, 64, seed) for seed, size in enumerate((150, 70, 33))]
    layouts = [
        read_layout(
            write_sequences(tmp_path / str(table), rows, rows_per_group=group, rows_per_file=2 * group)
        )
        for table, (rows, group) in enumerate(zip(tokens, (16, 8, 5), strict=True))
    ]
    joined = join_layouts(layouts)
    assert joined.num_sequences == 253
    plan = MixturePlan((150, 70, 33), (3, 2, 1), 5, 12, 4, tuple(layout.block_rows for layout in layouts))
    rows = np.concatenate(tokens)
    for rank in range(world_size):
        schedule = training_schedule(plan, rank, world_size, start, start + 25)
        with SequenceReader(joined, schedule, 64) as reader:
            for step, batch in enumerate(reader, start=start):
                assert batch.sequence_ids.tolist() == plan.rank_batch(step, rank, world_size).tolist()
                assert np.array_equal(batch.input_ids, rows[batch.sequence_ids])
        assert step == start + 24
