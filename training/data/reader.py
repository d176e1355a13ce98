"""Hands out a rank's batches in the order of a schedule, from blocks that are read ahead.

What is asked for comes from the schedule alone: a lane (canonical shard) asks for a block when a batch first
needs it. Between two batches at most one block a lane and what is read ahead are in memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice, tee
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.token_ids import TokenIds, token_type
from training.data.blocks import Block
from training.data.layout import Layout, RowSlice
from training.data.schedule import Run, Schedule
from training.data.stream import BlockStream
from training.launch.environment import count_threads
from training.launch.ranks import current_rank

GATHERED_BYTES = 512 * 1024
"""Tokens that are gathered at once, for as many batches as that makes: small enough for a core's cache."""


class Batch(NamedTuple):
    """A rank's part of a batch.

    Attributes:
        step: Number of the batch in its schedule.
        sequence_ids: int64 (rows,), in order of use; there may be no rows at all.
        input_ids: uint16 or uint32 (rows, sequence_length), as stored: who computes widens what it needs.
        num_tokens: int32 (rows,): tokens of a row that are not padding.
    """

    step: int
    sequence_ids: npt.NDArray[np.int64]
    input_ids: TokenIds
    num_tokens: npt.NDArray[np.int32]


class SequenceReader:
    """Iterates over a rank's batches in exactly the schedule's order.

    Use it as a context manager, so that the reading threads end.

    Args:
        layout: The row groups of the split.
        schedule: What to read; also where to start.
        vocab_size: Token ids must be below it.
        reads_ahead: Whether a thread reads while the step computes. None: if this rank has a second core,
            when the ranks of its host share the cores that this process may use. A rank that computes on a
            GPU leaves its core to the thread, and should say True.

    Attributes:
        wait_seconds: Time that `next` has spent waiting for data, in seconds.

    Raises:
        DataError: While iterating: a row group does not hold what the layout says.
    """

    def __init__(
        self, layout: Layout, schedule: Schedule, vocab_size: int, reads_ahead: bool | None = None
    ) -> None:
        self.wait_seconds = 0.0
        self._layout = layout
        # The plan is walked once: what looks ahead for blocks leaves its runs to what assembles them.
        first, ahead, planned = tee(schedule(), 3)
        num_lanes = len({draw.lane for run in islice(first, 1) for draw in run.draws})
        if reads_ahead is None:
            reads_ahead = count_threads("auto", current_rank().local_size) > 1
        needs = _needed_blocks(layout, ahead)
        self._stream = BlockStream(layout, needs, num_lanes, vocab_size, reads_ahead)
        self._blocks = self._stream.blocks()
        self._batches = self._assemble(planned)

    def __enter__(self) -> SequenceReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the reading threads; what was read ahead is thrown away."""
        self._stream.stop()
        self._stream.join()

    def __iter__(self) -> Iterator[Batch]:
        # Not self: a loop then goes without a call of Python's a batch.
        return self._batches

    def __next__(self) -> Batch:
        return next(self._batches)

    def _assemble(self, schedule: Iterator[Run]) -> Iterator[Batch]:
        gathered = _gather(schedule, self._blocks, self._layout)
        while True:
            begin = time.perf_counter()
            batches = next(gathered, None)
            self.wait_seconds += time.perf_counter() - begin
            if batches is None:
                return
            yield from batches


def _gather(schedule: Iterator[Run], source: Iterator[Block], layout: Layout) -> Iterator[Iterator[Batch]]:
    """The batches of a schedule, as many at a time as are gathered together.

    Args:
        schedule: The runs.
        source: The blocks in the order in which the lanes need them.
        layout: Length and type of the sequences.
    """
    length, dtype = layout.sequence_length, token_type(layout.token_bytes)
    lanes: dict[int, tuple[int, Block]] = {}
    for run in schedule:
        rows = sum(len(draw.segment.ids) for draw in run.draws) // run.steps
        ids, counts = np.empty((run.steps, rows), np.int64), np.empty((run.steps, rows), np.int32)
        parts, low = [], 0
        for lane, segment in run.draws:
            if lane not in lanes or lanes[lane][0] != segment.first:
                lanes[lane] = (segment.first, next(source))
            block = lanes[lane][1]
            drawn = segment.ids.reshape(run.steps, -1)
            place = slice(low, low + drawn.shape[1])
            within = drawn - segment.first
            ids[:, place] = drawn
            counts[:, place] = block.num_tokens[within]
            parts.append((place, block.input_ids, within))
            low = place.stop
        at_once = max(1, GATHERED_BYTES // (dtype.itemsize * length * max(1, rows)))
        for begin in range(0, run.steps, at_once):
            end = min(begin + at_once, run.steps)
            tokens = np.empty((end - begin, rows, length), dtype)
            for place, values, within in parts:
                tokens[:, place] = values[within[begin:end]]
            numbers = range(run.step + begin, run.step + end)
            yield map(Batch, numbers, ids[begin:end], tokens, counts[begin:end])


def _needed_blocks(layout: Layout, schedule: Iterator[Run]) -> Iterator[list[RowSlice]]:
    lanes: dict[int, int] = {}
    for run in schedule:
        for lane, segment in run.draws:
            if lanes.get(lane) != segment.first:
                lanes[lane] = segment.first
                yield layout.slices(segment.first, segment.end)
