"""A schedule is the plan, in runs of batches that one gather serves."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.training.data.test_plan import plans
from training.data.mixture import MixturePlan
from training.data.plan import SamplePlan
from training.data.schedule import Run, sequential_schedule, training_schedule


def batches_of(run: Run) -> list[list[int]]:
    parts = [draw.segment.ids.reshape(run.steps, -1) for draw in run.draws]
    return [[int(number) for part in parts for number in part[step]] for step in range(run.steps)]


def check_runs(runs: list[Run], batch_rows: int | None = None) -> None:
    for run in runs:
        for _, segment in run.draws:
            assert segment.first <= segment.ids.min() <= segment.ids.max() < segment.end
        lanes = [draw.lane for draw in run.draws]
        if run.steps > 1:
            assert batch_rows is None or sum(len(d.segment.ids) for d in run.draws) == run.steps * batch_rows
            by_lane = {lane: {d.segment.first for d in run.draws if d.lane == lane} for lane in lanes}
            assert all(len(blocks) == 1 for blocks in by_lane.values())


@given(plan=plans(), data=st.data())
def test_runs_hold_the_batches_of_the_plan(plan: SamplePlan, data: st.DataObject) -> None:
    world_size = data.draw(st.sampled_from([n for n in range(1, 13) if plan.canonical_shards % n == 0]))
    rank = data.draw(st.integers(0, world_size - 1))
    start = data.draw(st.integers(0, 2 * plan.steps_per_epoch))
    end = start + data.draw(st.integers(0, 2 * plan.steps_per_epoch))
    runs = list(training_schedule(plan, rank, world_size, start, end)())
    assert [step for run in runs for step in range(run.step, run.step + run.steps)] == list(range(start, end))
    found = [batch for run in runs for batch in batches_of(run)]
    assert found == [plan.rank_batch(step, rank, world_size).tolist() for step in range(start, end)]
    check_runs(runs, plan.global_batch_size // world_size)


@given(steps=st.integers(1, 60), start=st.integers(0, 40))
def test_runs_of_a_mixture_hold_its_batches(steps: int, start: int) -> None:
    plan = MixturePlan((150, 70, 33), (3, 2, 1), 5, 12, 4, (16, 8, 5))
    runs = list(training_schedule(plan, 1, 2, start, start + steps)())
    found = [batch for run in runs for batch in batches_of(run)]
    assert found == [plan.rank_batch(step, 1, 2).tolist() for step in range(start, start + steps)]


def test_a_run_goes_on_until_a_block_ends() -> None:
    """1024 batches of 8 from blocks of 256: a shard enters a block every 128 batches, four shards at most so
    often each."""
    plan = SamplePlan(8192, seed=1, global_batch_size=8, canonical_shards=4, block_rows=256)
    runs = list(training_schedule(plan, 0, 1, 0, plan.steps_per_epoch)())
    assert len(runs) <= 4 * (1024 // 128)
    assert sum(run.steps for run in runs) == 1024


@given(count=st.integers(1, 400), batch=st.integers(1, 50), block=st.integers(1, 60), world=st.integers(1, 5))
def test_evaluation_takes_every_id_once_in_order(count: int, batch: int, block: int, world: int) -> None:
    seen: list[int] = []
    for rank in range(world):
        runs = list(sequential_schedule(count, batch, block, rank, world)())
        found = [ids for run in runs for ids in batches_of(run)]
        assert [step for run in runs for step in range(run.step, run.step + run.steps)] == list(
            range(len(found))
        )
        assert all(len(ids) == batch for ids in found[:-1])
        assert not found or 0 < len(found[-1]) <= batch
        seen += [number for ids in found for number in ids]
        check_runs(runs)
    assert np.array_equal(seen, np.arange(count))
