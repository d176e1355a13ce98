"""The sample plan: which sequence is in which global batch, computed from integers and never stored.

Sequence ids 0..n-1 are already globally shuffled by packing and lie in contiguous row groups. Each epoch
permutes blocks of ids (a block is a row group) and the rows within each block, so that an epoch reads
every row group about once, in an order of its own. The resulting *virtual* order is cut into canonical
shards of equal length; every global batch takes the next rows of each shard. Ranks divide the shards among
themselves, hence global batches do not depend on their number and the global step is the only state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ringlake.base.permutation import Permutation, whole_orders
from ringlake.base.seeds import Purpose, derive_seed, derive_seeds
from training.data.batches import Ids, Plan, Segment
from training.errors import DataError

_WINDOW_ROWS = 8192
"""The orders of as many blocks as hold so many rows are computed at once, 32 blocks of 256 rows in the time
of three, and kept while a shard goes through them. That of a larger block is computed as it is used."""

_Order = npt.NDArray[np.uint16]
"""Places of rows in their block: those of a window fit two bytes."""

_MAX_WINDOWS = 512
"""Windows that are kept, at most 8 MiB. With more shards a rank computes their windows in each run anew."""


@dataclass(frozen=True)
class SamplePlan(Plan):
    """Which sequence ids form each global batch; a pure function of its fields.

    Attributes:
        num_sequences: Sequences in the split (n).
        seed: Seed of the order; every epoch has an order of its own.
        global_batch_size: Sequences in a global batch (B); the last one of an epoch may be smaller.
        canonical_shards: Shards the order is cut into (S); a divisor of B and a multiple of the ranks.
        block_rows: Sequences in a block, the row group size of the table.

    Raises:
        DataError: A field is not positive, or S does not divide B.
    """

    num_sequences: int
    seed: int
    global_batch_size: int
    canonical_shards: int
    block_rows: int

    def __post_init__(self) -> None:
        for name in ("num_sequences", "global_batch_size", "canonical_shards", "block_rows"):
            if getattr(self, name) < 1:
                raise DataError(f"the sample plan needs {name} >= 1, not {getattr(self, name)}")
        self._check_batch()

    @cached_property
    def steps_per_epoch(self) -> int:
        """Global batches in an epoch; the last may be smaller."""
        longest = -(-self.num_sequences // self.canonical_shards)
        return -(-longest // self.rows_per_shard)

    @property
    def num_blocks(self) -> int:
        """Blocks of the split; the last may be partial."""
        return -(-self.num_sequences // self.block_rows)

    def parameters(self) -> dict[str, Any]:
        """All that determines the plan, for checkpoints: equal parameters give equal batches."""
        return asdict(self)

    def count_sequences(self, steps: int) -> int:
        """Sequences in the global batches of steps [0, steps)."""
        epochs, batches = divmod(steps, self.steps_per_epoch)
        total = epochs * self.num_sequences
        for shard in range(self.canonical_shards):
            first, end = self.shard_range(shard)
            total += min(batches * self.rows_per_shard, end - first)
        return total

    def steps_of(self, sequence_id: int, end: int, table: int = 0) -> list[int]:
        """The steps of [0, end) whose global batch has a sequence, one an epoch; see `Plan.steps_of`."""
        del table
        steps = []
        for epoch in range(-(-end // self.steps_per_epoch)):
            _, offset = self.place_of(sequence_id, epoch)
            step = epoch * self.steps_per_epoch + offset // self.rows_per_shard
            if step < end:
                steps.append(step)
        return steps

    def place_of(self, sequence_id: int, epoch: int) -> tuple[int, int]:
        """Canonical shard of a sequence in an epoch, and how many sequences of the shard come before it."""
        self._check_sequence(sequence_id, self.num_sequences)
        num_full, tail = divmod(self.num_sequences, self.block_rows)
        block, row = divmod(sequence_id, self.block_rows)
        rows = self.block_rows if block < num_full else tail
        tail_turn = _partial_place(self.seed, epoch, num_full) if tail else num_full
        if block < num_full:
            turn = Permutation(num_full, derive_seed(self.seed, epoch, Purpose.BLOCK_ORDER)).place(block)
            start = turn * self.block_rows + (tail if turn >= tail_turn else 0)
        else:
            start = tail_turn * self.block_rows
        order = Permutation(rows, derive_seed(self.seed, epoch, Purpose.ROW_ORDER, block))
        position = start + order.place(row)
        # The first guess is the shard of a real number; shards begin at its floors.
        shard = position * self.canonical_shards // self.num_sequences
        while self.shard_range(shard)[1] <= position:
            shard += 1
        return shard, position - self.shard_range(shard)[0]

    def shard_segments(self, step: int, shard: int, steps: int = 1) -> Iterator[Segment]:
        """What global batches take of one shard, cut where the block changes; nothing if it is used up."""
        epoch, start, end = self._rest_of_shard(step, shard)
        return self.segments(epoch, start, min(start + steps * self.rows_per_shard, end))

    def steps_alike(self, step: int, shard: int) -> int:
        """Global batches from this one on that take their rows of the block that this one begins with."""
        epoch, start, end = self._rest_of_shard(step, shard)
        if start >= end:
            return 1
        _, offset, rows, _ = self._locate(epoch, start)
        left = min(rows - offset, end - start, _WINDOW_ROWS)
        return max(1, left // self.rows_per_shard)

    def shard_range(self, shard: int) -> tuple[int, int]:
        """The part of the virtual order that a canonical shard holds."""
        first = shard * self.num_sequences // self.canonical_shards
        return first, (shard + 1) * self.num_sequences // self.canonical_shards

    def segments(self, epoch: int, start: int, end: int) -> Iterator[Segment]:
        """The virtual range [start, end) of an epoch as segments of one block each."""
        while start < end:
            block, offset, rows, whole = self._locate(epoch, start)
            take = min(rows - offset, end - start)
            first = block * self.block_rows
            if whole is None:
                order = Permutation(rows, derive_seed(self.seed, epoch, Purpose.ROW_ORDER, block))
                drawn = order(np.arange(offset, offset + take))
            else:
                drawn = whole[offset : offset + take].astype(np.int64)
            yield Segment(first, first + rows, drawn + first)
            start += take

    def _rest_of_shard(self, step: int, shard: int) -> tuple[int, int, int]:
        """Epoch of a step, where its rows of a shard begin in the virtual order, and where the shard ends."""
        epoch, index = self.position(step)
        first, end = self.shard_range(shard)
        return epoch, first + index * self.rows_per_shard, end

    def _locate(self, epoch: int, position: int) -> tuple[int, int, int, _Order | None]:
        """Block, row offset in its shuffled order, rows, and that order if the block is not too large."""
        num_full, tail = divmod(self.num_sequences, self.block_rows)
        if tail:
            tail_start = _partial_place(self.seed, epoch, num_full) * self.block_rows
            if tail_start <= position < tail_start + tail:
                order = _partial_order(self.seed, epoch, tail, num_full)
                return num_full, position - tail_start, tail, order
            if position >= tail_start + tail:
                position -= tail
        turn, offset = divmod(position, self.block_rows)
        size = max(1, _WINDOW_ROWS // self.block_rows)
        blocks, orders = _window(self.seed, epoch, num_full, self.block_rows, turn // size * size, size)
        place = turn % size
        return int(blocks[place]), offset, self.block_rows, None if orders is None else orders[place]


@lru_cache(_MAX_WINDOWS)
def _window(
    seed: int, epoch: int, num_full: int, block_rows: int, turn: int, size: int
) -> tuple[Ids, _Order | None]:
    """The full blocks whose turns are [turn, turn + size), fewer where they end, and their orders."""
    turns = np.arange(turn, min(turn + size, num_full))
    blocks = Permutation(num_full, derive_seed(seed, epoch, Purpose.BLOCK_ORDER))(turns)
    return blocks, _orders(seed, epoch, block_rows, blocks.tolist())


@lru_cache(maxsize=256)
def _partial_place(seed: int, epoch: int, num_full: int) -> int:
    """Full blocks before the partial one: it takes any place, so that no ids are always the last ones."""
    return derive_seed(seed, epoch, Purpose.PARTIAL_PLACE) % (num_full + 1)


@lru_cache(maxsize=32)
def _partial_order(seed: int, epoch: int, rows: int, block: int) -> _Order | None:
    orders = _orders(seed, epoch, rows, [block])
    return None if orders is None else orders[0]


def _orders(seed: int, epoch: int, rows: int, blocks: Sequence[int]) -> _Order | None:
    """The shuffled orders of some blocks of so many rows, (blocks, rows); None: too many."""
    if rows > _WINDOW_ROWS:
        return None
    return whole_orders(rows, derive_seeds(seed, epoch, Purpose.ROW_ORDER, last=blocks)).astype(np.uint16)
