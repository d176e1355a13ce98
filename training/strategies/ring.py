"""Ring all-reduce through Horovod (Sergeev and Del Balso, arXiv 1802.05799).

Gradients are summed, not averaged: each rank's loss is already divided by the number of targets of the
GLOBAL batch, so the sum is the gradient that one rank would compute on all of it, also with padding or
when ranks hold different numbers of rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import horovod.torch as hvd
import torch

from training.launch.stall import StallGuard


class Ring:
    """All-reduce over the ranks that the launcher started; initialises Horovod."""

    def __init__(self) -> None:
        self._guard = StallGuard()
        with self._guard.waiting_for("the start of the ring"):
            hvd.init()
        self.rank = int(hvd.rank())
        self.world_size = int(hvd.size())

    def broadcast(self, tensors: Sequence[torch.Tensor]) -> None:
        """Give every rank rank 0's values, in place."""
        handles = [
            hvd.broadcast_async_(tensor.data, root_rank=0, name=f"broadcast.{index}")
            for index, tensor in enumerate(tensors)
        ]
        self._finish(handles, "the broadcast of the initial state")

    def add_up(self, gradients: torch.Tensor, numbers: torch.Tensor) -> None:
        """Replace gradients and numbers by their sums over the ranks, in place."""
        handles = (
            hvd.allreduce_async_(numbers, op=hvd.Sum, name="numbers"),
            hvd.allreduce_async_(gradients, op=hvd.Sum, name="gradients"),
        )
        self._finish(handles, "the sum of the gradients")

    def add_numbers(self, numbers: torch.Tensor) -> None:
        """Replace float64 values by their sums over the ranks, in place."""
        self._finish((hvd.allreduce_async_(numbers, op=hvd.Sum, name="scores"),), "the sum of the scores")

    def _finish(self, handles: Sequence[int], what: str) -> None:
        with self._guard.waiting_for(what):
            for handle in handles:
                hvd.synchronize(handle)
