"""What a rank reads, batch by batch: the bridge between a plan of ids and a stream of row groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from training.data.batches import Plan, Segment


class Draw(NamedTuple):
    """Rows of one block that batches take.

    Attributes:
        lane: Stream of blocks it belongs to (a canonical shard of a table); a lane holds one block at a time.
        segment: The block and the ids taken of it, batch after batch, equally many for each.
    """

    lane: int
    segment: Segment


class Run(NamedTuple):
    """Consecutive batches of a rank that take equally many rows of the same blocks.

    Attributes:
        step: Number of the first batch.
        steps: How many they are.
        draws: What they take, in the order in which it stands in each batch.
    """

    step: int
    steps: int
    draws: tuple[Draw, ...]


Schedule = Callable[[], Iterator[Run]]
"""Gives the same batches every time it is called: the reader looks ahead with one pass and consumes with
another, so that nothing needs to be stored between them."""


def training_schedule(plan: Plan, rank: int, world_size: int, start: int, end: int) -> Schedule:
    """A rank's part of the global batches of steps [start, end)."""
    shards = plan.shards_of(rank, world_size)

    def runs() -> Iterator[Run]:
        step = start
        while step < end:
            steps = min(end - step, *(plan.steps_alike(step, shard) for shard in shards))
            draws = (
                Draw(shard * plan.num_tables + segment.table, segment)
                for shard in shards
                for segment in plan.shard_segments(step, shard, steps)
            )
            yield Run(step, steps, tuple(draws))
            step += steps

    return runs


def sequential_schedule(
    num_sequences: int, batch_size: int, block_rows: int, rank: int, world_size: int
) -> Schedule:
    """A rank's part of the ids [0, num_sequences) in ascending order, for evaluation.

    The parts are contiguous, so that a row group at a border is read by two ranks and every other by one.
    """
    first, end = rank * num_sequences // world_size, (rank + 1) * num_sequences // world_size

    def runs() -> Iterator[Run]:
        step, low = 0, first
        while low < end:
            left = min(low // block_rows * block_rows + block_rows, end) - low
            steps = max(1, left // batch_size)
            high = min(low + steps * batch_size, end)
            yield Run(step, steps, tuple(_consecutive(low, high, num_sequences, block_rows)))
            step, low = step + steps, high

    return runs


def _consecutive(low: int, high: int, num_sequences: int, block_rows: int) -> Iterator[Draw]:
    while low < high:
        block = low // block_rows * block_rows
        block_end = min(block + block_rows, num_sequences)
        stop = min(high, block_end)
        yield Draw(0, Segment(block, block_end, np.arange(low, stop, dtype=np.int64)))
        low = stop
