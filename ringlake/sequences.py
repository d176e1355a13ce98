"""The sequences of a lake as a torch dataset: the exact plan of global batches, and a state to go on from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from pipelines.lake import Lake as Place
from pipelines.run.snapshots import take_snapshot
from ringlake.display import panel
from training.data.layout import read_layout
from training.data.plan import SamplePlan
from training.data.reader import SequenceReader
from training.data.schedule import training_schedule
from training.errors import DataError
from training.launch import current_rank

if TYPE_CHECKING:
    import os

_STATE = ("table_content", "seed", "batch_size", "shards", "step")
"""Keys of a state; all but the last must be those of the dataset that takes it."""


class Sequences(IterableDataset[dict[str, torch.Tensor]]):
    """A rank's part of each global batch of a lake's packed sequences, epoch after epoch.

    Which sequences form a global batch follows from the table, `seed`, `batch_size` and `shards` alone: any
    number of ranks that divides `shards` sees the same global batches, each sequence once an epoch. The only
    state is the number of steps done, so that a state saved by two ranks is loaded by one or four.

    Iterating gives dicts: `input_ids` int64 (rows, sequence_length), `num_tokens` int64 (rows,), the tokens
    of a row that are not padding, `sequence_ids` int64 (rows,), and `step` int64 (). Rows are a rank's share
    of `batch_size`; the last batch of an epoch may be smaller, or empty. Iterating again goes on after the
    last batch that was taken.

    Within torch's DataLoader, give `batch_size=None` and at most one worker: batches are made here, and
    several workers would each give all of them. A worker has a copy of the dataset, whose state only a loader
    that asks its workers (torchdata's StatefulDataLoader) can tell.

    Args:
        lake: Path or URL of the lake.
        batch_size: Sequences in a global batch, over all ranks; a multiple of `shards`.
        split: 'train' or 'validation'.
        seed: Seed of the order.
        epochs: How many; None: without end.
        shards: Shards that the plan is made of; a multiple of the number of ranks.
        rank: Number of this process; None: what the launcher says, 0 without one.
        world_size: Number of processes; None: likewise, 1 without a launcher.
        version: Version of the table `sequences`; None: the current one.

    Attributes:
        sequence_length: Tokens in each sequence.
        vocab_size: Size of the tokenizer's vocabulary.
        num_sequences: Sequences in the split.
        steps_per_epoch: Global batches in an epoch.

    Raises:
        RinglakeError: There is no such lake or table.
        TrainingError: The numbers do not fit each other.

    Example:
        >>> import ringlake
        >>> ringlake.Sequences("nowhere", batch_size=8)
        Traceback (most recent call last):
        ...
        pipelines.errors.InputError: there is no lake at nowhere...
    """

    def __init__(
        self,
        lake: str | os.PathLike[str],
        batch_size: int,
        *,
        split: str = "train",
        seed: int = 0,
        epochs: int | None = None,
        shards: int = 1,
        rank: int | None = None,
        world_size: int | None = None,
        version: int | None = None,
    ) -> None:
        super().__init__()
        place = Place.at(lake)
        place.require()
        snapshot = take_snapshot(place, split, version)
        here = current_rank()
        self._rank = here.rank if rank is None else rank
        self._world_size = here.world_size if world_size is None else world_size
        _check(batch_size, shards, self._rank, self._world_size, epochs)
        self._layout = read_layout(snapshot)
        self._plan = SamplePlan(
            num_sequences=self._layout.num_sequences,
            seed=seed,
            global_batch_size=batch_size,
            canonical_shards=shards,
            block_rows=self._layout.block_rows,
        )
        self._end = None if epochs is None else epochs * self._plan.steps_per_epoch
        self._step = 0
        self.sequence_length = snapshot.sequence_length
        self.vocab_size = snapshot.vocab_size
        self.num_sequences = self._layout.num_sequences
        self.steps_per_epoch = self._plan.steps_per_epoch

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = get_worker_info()
        if worker is not None and worker.num_workers > 1:
            raise DataError(
                f"a DataLoader with num_workers = {worker.num_workers} would give every batch as often; "
                f"use 0 or 1"
            )
        while self._end is None or self._step < self._end:
            # An epoch at a time: what is read ahead ends with it.
            last = (self._step // self.steps_per_epoch + 1) * self.steps_per_epoch
            schedule = training_schedule(self._plan, self._rank, self._world_size, self._step, last)
            with SequenceReader(self._layout, schedule, self.vocab_size) as reader:
                for batch in reader:
                    self._step = batch.step + 1
                    yield {
                        "input_ids": torch.from_numpy(batch.input_ids.astype(np.int64)),
                        "num_tokens": torch.from_numpy(batch.num_tokens.astype(np.int64)),
                        "sequence_ids": torch.from_numpy(batch.sequence_ids.astype(np.int64)),
                        "step": torch.tensor(batch.step),
                    }

    @property
    def step(self) -> int:
        """Global batches that were taken so far, and so the number of the next one."""
        return self._step

    def _repr_html_(self) -> str:
        plan = self._plan
        return panel(
            "Plan of global batches",
            {
                "sequences": self.num_sequences,
                "tokens in each": self.sequence_length,
                "in a global batch": plan.global_batch_size,
                "shards": plan.canonical_shards,
                "steps in an epoch": self.steps_per_epoch,
                "this rank": f"{self._rank} of {self._world_size}",
                "next step": self._step,
                "seed": plan.seed,
                "table": self._layout.fingerprint,
            },
        )

    def state_dict(self) -> dict[str, Any]:
        """The state after the last batch that was taken: JSON values."""
        return dict(zip(_STATE, (*self._identity(), self._step), strict=True))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state.

        Raises:
            TrainingError: It is of another table, seed, batch size or number of shards, or is no state.
        """
        if set(state) != set(_STATE) or not isinstance(state["step"], int) or state["step"] < 0:
            raise DataError(f"a state of Sequences has {', '.join(_STATE)}, and not {sorted(state)}")
        own = dict(zip(_STATE, self._identity(), strict=False))
        different = [
            f"{key} {state[key]!r} there, {value!r} here" for key, value in own.items() if state[key] != value
        ]
        if different:
            raise DataError(
                f"the state is of another order of batches ({'; '.join(different)}): open the dataset as it "
                f"was opened then, or begin anew"
            )
        self._step = state["step"]

    def _identity(self) -> tuple[str, int, int, int]:
        plan = self._plan
        return self._layout.fingerprint, plan.seed, plan.global_batch_size, plan.canonical_shards


def _check(batch_size: int, shards: int, rank: int, world_size: int, epochs: int | None) -> None:
    """DataError, in the words of the arguments, unless the numbers fit each other."""
    if shards < 1 or batch_size < 1 or batch_size % shards:
        raise DataError(f"batch_size = {batch_size} is no multiple of shards = {shards}; change one of them")
    if world_size < 1 or shards % world_size:
        raise DataError(
            f"shards = {shards} is no multiple of world_size = {world_size}: ranks divide the shards of a "
            f"batch among themselves; give shards={world_size} or a multiple (the order of batches changes)"
        )
    if not 0 <= rank < world_size:
        raise DataError(f"rank = {rank} is none of 0 to {world_size - 1}")
    if epochs is not None and epochs < 0:
        raise DataError(f"epochs = {epochs}; give a number >= 0, or None for no end")
