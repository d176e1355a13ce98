"""What every plan of global batches has in common: canonical shards, which ranks divide among themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import DataError

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Segment:
    """Consecutive rows of a batch that come from one block.

    Attributes:
        first: First sequence id of the block.
        end: Id after its last one.
        ids: Sequence ids in the order of use, int64 (rows,).
        table: The table they belong to, 0 unless several are mixed.
    """

    first: int
    end: int
    ids: Ids
    table: int = 0


class Plan(ABC):
    """Which sequence ids form each global batch, by canonical shards that ranks divide among themselves.

    Attributes:
        global_batch_size: Sequences in a full global batch (B).
        canonical_shards: Shards that every global batch takes equally many sequences of (S).
    """

    global_batch_size: int
    canonical_shards: int

    @property
    def num_tables(self) -> int:
        """Tables that the sequences come from."""
        return 1

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of each table in every batch; they add up to 1."""
        return (1.0,)

    @property
    @abstractmethod
    def steps_per_epoch(self) -> int:
        """Global batches in an epoch."""

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """All that determines the plan, for checkpoints: equal parameters give equal batches."""

    @abstractmethod
    def count_sequences(self, steps: int) -> int:
        """Sequences in the global batches of steps [0, steps)."""

    def count_by_table(self, steps: int) -> tuple[int, ...]:
        """Sequences of each table in the global batches of steps [0, steps); `count_sequences` in all."""
        return (self.count_sequences(steps),)

    def by_table(self, ids: Ids) -> list[Ids]:
        """Ids of this plan as the sequence ids of each table, in the same order."""
        return [ids]

    @abstractmethod
    def steps_of(self, sequence_id: int, end: int, table: int = 0) -> list[int]:
        """The steps of [0, end) whose global batch has a sequence, ascending: the inverse of `batch`.

        Args:
            sequence_id: Its id in its table.
            end: Steps that are looked at.
            table: Number of its table.

        Raises:
            DataError: There is no such sequence.
        """

    @abstractmethod
    def shard_segments(self, step: int, shard: int, steps: int = 1) -> Iterator[Segment]:
        """What the global batches of steps [step, step + steps) take of one shard.

        Segments are in order of use, batch after batch, and cut where the block changes. Several steps have
        to be alike (`steps_alike`).
        """

    def steps_alike(self, step: int, shard: int) -> int:
        """Global batches from this one on that take equally many rows of the same block of a shard.

        At least 1; a plan may count fewer than there are. What reads many batches at once asks for it.
        """
        del step, shard
        return 1

    @cached_property
    def rows_per_shard(self) -> int:
        """Sequences that a full global batch takes of each shard."""
        return self.global_batch_size // self.canonical_shards

    def position(self, step: int) -> tuple[int, int]:
        """Epoch and batch within the epoch of a global step; all three count from 0."""
        if step < 0:
            raise DataError(f"a global step is >= 0, not {step}")
        return divmod(step, self.steps_per_epoch)

    def shards_of(self, rank: int, world_size: int) -> range:
        """The canonical shards that a rank owns: rank, rank + world_size, ...

        Raises:
            DataError: The number of ranks does not divide the shards, or the rank is not one of them.
        """
        if world_size < 1 or self.canonical_shards % world_size:
            fitting = [
                count for count in range(1, self.canonical_shards + 1) if not self.canonical_shards % count
            ]
            raise DataError(
                f"train.num_ranks = {world_size} does not divide train.canonical_shards = "
                f"{self.canonical_shards}; use {', '.join(map(str, fitting))} ranks, or a number of "
                f"canonical shards that is a multiple of {world_size} (this changes the sample plan)"
            )
        if not 0 <= rank < world_size:
            raise DataError(f"rank {rank} is not among the ranks 0 to {world_size - 1}")
        return range(rank, self.canonical_shards, world_size)

    def batch(self, step: int) -> tuple[Ids, ...]:
        """Sequence ids of the global batch by canonical shard, each int64 (rows,), in order of use."""
        return tuple(
            _join([segment.ids for segment in self.shard_segments(step, shard)])
            for shard in range(self.canonical_shards)
        )

    def rank_batch(self, step: int, rank: int, world_size: int) -> Ids:
        """Sequence ids of a rank's part of the global batch, int64 (rows,), in order of use."""
        return _join(
            [
                segment.ids
                for shard in self.shards_of(rank, world_size)
                for segment in self.shard_segments(step, shard)
            ]
        )

    def _check_sequence(self, sequence_id: int, size: int) -> None:
        if not 0 <= sequence_id < size:
            raise DataError(f"the plan has the sequences 0 to {size - 1}, and no sequence {sequence_id}")

    def _check_batch(self) -> None:
        if self.global_batch_size % self.canonical_shards:
            raise DataError(
                f"train.global_batch_size = {self.global_batch_size} is not a multiple of "
                f"train.canonical_shards = {self.canonical_shards}: every global batch takes equally many "
                f"sequences of each shard; set one of them so that it divides"
            )


def _join(parts: list[Ids]) -> Ids:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
