"""What a rank reads, batch by batch: the bridge between a plan of ids and a stream of row groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from training.data.batches import Plan, Segment


class Draw(NamedTuple):
    """Rows of one block that a batch takes.

    Attributes:
        lane: Stream of blocks it belongs to (a canonical shard of a table); a lane holds one block at a time.
        segment: The block and the ids taken of it.
    """

    lane: int
    segment: Segment


class PlannedBatch(NamedTuple):
    """The draws of one batch of a rank, in order of use; `step` numbers it."""

    step: int
    draws: tuple[Draw, ...]


Schedule = Callable[[], Iterator[PlannedBatch]]
"""Gives the same batches every time it is called: the reader looks ahead with one pass and consumes with
another, so that nothing needs to be stored between them."""


def training_schedule(plan: Plan, rank: int, world_size: int, start: int, end: int) -> Schedule:
    """A rank's part of the global batches of steps [start, end)."""
    shards = plan.shards_of(rank, world_size)

    def batches() -> Iterator[PlannedBatch]:
        for step in range(start, end):
            draws = (
                Draw(shard * plan.num_tables + segment.table, segment)
                for shard in shards
                for segment in plan.shard_segments(step, shard)
            )
            yield PlannedBatch(step, tuple(draws))

    return batches


def sequential_schedule(
    num_sequences: int, batch_size: int, block_rows: int, rank: int, world_size: int
) -> Schedule:
    """A rank's part of the ids [0, num_sequences) in ascending order, for evaluation.

    The parts are contiguous, so that a row group at a border is read by two ranks and every other by one.
    """
    first, end = rank * num_sequences // world_size, (rank + 1) * num_sequences // world_size

    def batches() -> Iterator[PlannedBatch]:
        for step, low in enumerate(range(first, end, batch_size)):
            high = min(low + batch_size, end)
            draws = []
            while low < high:
                block = low // block_rows * block_rows
                block_end = min(block + block_rows, num_sequences)
                stop = min(high, block_end)
                draws.append(Draw(0, Segment(block, block_end, np.arange(low, stop, dtype=np.int64))))
                low = stop  # noqa: PLW2901 - the inner loop walks the batch block by block
            yield PlannedBatch(step, tuple(draws))

    return batches
