"""The plan of a mixture: which sequence of which table is in which global batch, computed from integers.

Each canonical shard draws from every table: from its own part of the table's order, which is the order that
the table alone would have (`plan.py`). Which table a draw takes says a cycle of integers (`cycle.py`). So the
draw number t of a shard is a sequence without knowing the draws before it, and the global step is the only
state. Sequence ids of the second and later tables go on where those of the table before end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

from ringlake.base.seeds import Purpose, derive_seed
from training.data.batches import Ids, Plan, Segment
from training.data.cycle import Cycle, make_cycle
from training.data.plan import SamplePlan
from training.errors import DataError


@dataclass(frozen=True)
class MixturePlan(Plan):
    """Which sequence ids form each global batch of a mixture; a pure function of its fields.

    Every global batch is full. A table's shard begins its next pass when it has used up its part, so the
    shards of a table, whose parts differ by one sequence at most, may begin a pass some draws apart.

    Attributes:
        table_sizes: Sequences in each table, at least one a canonical shard.
        ratio: Weight of each table as an integer, see `MixtureConfig.ratio`.
        seed: Seed of the order; every table and every pass over it has an order of its own.
        global_batch_size: Sequences in a global batch (B).
        canonical_shards: Shards (S); a divisor of B and a multiple of the ranks.
        block_rows: Sequences in a block of each table, its row group size.

    Raises:
        DataError: A field is not positive, the fields do not fit, or a table is too small.
    """

    table_sizes: tuple[int, ...]
    ratio: tuple[int, ...]
    seed: int
    global_batch_size: int
    canonical_shards: int
    block_rows: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.table_sizes) == len(self.ratio) == len(self.block_rows) > 0:
            raise DataError(
                f"a mixture needs one weight and one block size a table, not {len(self.ratio)} and "
                f"{len(self.block_rows)} for {len(self.table_sizes)} tables"
            )
        for name, values in (
            ("ratio", self.ratio),
            ("block_rows", self.block_rows),
            ("global_batch_size and canonical_shards", (self.global_batch_size, self.canonical_shards)),
        ):
            if min(values) < 1:
                raise DataError(f"the plan of a mixture needs {name} >= 1, not {values}")
        self._check_batch()
        for number, size in enumerate(self.table_sizes):
            if size < self.canonical_shards:
                raise DataError(
                    f"table {number} of the mixture has {size} sequences, fewer than "
                    f"train.canonical_shards = {self.canonical_shards}, so that a shard had none; lower the "
                    f"shards or leave the table out"
                )

    @property
    def num_tables(self) -> int:
        """Tables that the sequences come from."""
        return len(self.table_sizes)

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of each table in every batch, `ratio` over its sum."""
        return tuple(part / sum(self.ratio) for part in self.ratio)

    @property
    def steps_per_epoch(self) -> int:
        """Global batches that together hold as many sequences as all tables: a mixture's epoch."""
        return -(-sum(self.table_sizes) // self.global_batch_size)

    def parameters(self) -> dict[str, Any]:
        """All that determines the plan, for checkpoints: equal parameters give equal batches."""
        return asdict(self)

    def count_sequences(self, steps: int) -> int:
        """Sequences in the global batches of steps [0, steps)."""
        return steps * self.global_batch_size

    def count_by_table(self, steps: int) -> tuple[int, ...]:
        """Sequences of each table in the global batches of steps [0, steps).

        It differs from the table's share of them by less than one sequence a canonical shard.
        """
        draws = steps * self.rows_per_shard
        return tuple(
            sum(self._cycle.count(shard, draws, table) for shard in range(self.canonical_shards))
            for table in range(self.num_tables)
        )

    def steps_of(self, sequence_id: int, end: int, table: int = 0) -> list[int]:
        """The steps of [0, end) whose global batch has a sequence, one a pass; see `Plan.steps_of`."""
        order = self._orders[table]
        sizes = [stop - first for first, stop in map(order.shard_range, range(self.canonical_shards))]
        steps: set[int] = set()
        turn = 0
        # Shards begin a pass some draws apart, and a sequence is in another shard each time.
        while any(self._step_of_draw(shard, turn * size, table) < end for shard, size in enumerate(sizes)):
            shard, offset = order.place_of(sequence_id, turn)
            step = self._step_of_draw(shard, turn * sizes[shard] + offset, table)
            if step < end:
                steps.add(step)
            turn += 1
        return sorted(steps)

    def _step_of_draw(self, shard: int, draw: int, table: int) -> int:
        """The step whose global batch has a draw of a table in a shard: counts of draws never fall."""
        low, high = 0, 1
        while self._cycle.count(shard, high * self.rows_per_shard, table) <= draw:
            low, high = high, high * 2
        while low < high:
            middle = (low + high) // 2
            if self._cycle.count(shard, (middle + 1) * self.rows_per_shard, table) > draw:
                high = middle
            else:
                low = middle + 1
        return low

    def shard_segments(self, step: int, shard: int, steps: int = 1) -> Iterator[Segment]:
        """What global batches take of one shard: table by table, cut where the block or the pass changes."""
        self.position(step)
        draws, end_draws = step * self.rows_per_shard, (step + steps) * self.rows_per_shard
        for table in range(self.num_tables):
            first = self._cycle.count(shard, draws, table)
            end = self._cycle.count(shard, end_draws, table)
            yield from self._table_segments(table, shard, first, end)

    def by_table(self, ids: Ids) -> list[Ids]:
        """Ids of this plan as the sequence ids of each table, in the same order."""
        return [
            ids[(ids >= base) & (ids < base + size)] - base
            for base, size in zip(self._bases, self.table_sizes, strict=True)
        ]

    def _table_segments(self, table: int, shard: int, draw: int, end: int) -> Iterator[Segment]:
        """Draws [draw, end) of a table in a shard."""
        order, base = self._orders[table], self._bases[table]
        first, stop = order.shard_range(shard)
        while draw < end:
            turn, offset = divmod(draw, stop - first)
            take = min(stop - first - offset, end - draw)
            for segment in order.segments(turn, first + offset, first + offset + take):
                yield Segment(segment.first + base, segment.end + base, segment.ids + base, table)
            draw += take

    @cached_property
    def _cycle(self) -> Cycle:
        return make_cycle(self.ratio, self.canonical_shards)

    @cached_property
    def _bases(self) -> Sequence[int]:
        return [0, *accumulate(self.table_sizes[:-1])]

    @cached_property
    def _orders(self) -> Sequence[SamplePlan]:
        """The order of each table; its batches are not used, only its shards."""
        return [
            SamplePlan(
                num_sequences=size,
                seed=derive_seed(self.seed, Purpose.TABLE_ORDER, table),
                global_batch_size=self.canonical_shards,
                canonical_shards=self.canonical_shards,
                block_rows=rows,
            )
            for table, (size, rows) in enumerate(zip(self.table_sizes, self.block_rows, strict=True))
        ]
