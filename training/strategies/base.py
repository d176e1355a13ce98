"""What a strategy does for the loop: start ranks equal, join gradients, add up numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch


class Strategy(Protocol):
    """How ranks work together.

    Attributes:
        rank: This rank.
        world_size: Number of ranks.
    """

    rank: int
    world_size: int

    def broadcast(self, tensors: Sequence[torch.Tensor]) -> None:
        """Give every rank rank 0's values, in place."""

    def add_up(self, gradients: torch.Tensor, numbers: torch.Tensor) -> None:
        """Replace both by their sums over the ranks, in place; equal bits on every rank.

        Args:
            gradients: The flat gradient buffer.
            numbers: A few float64 values of the step.
        """

    def add_numbers(self, numbers: torch.Tensor) -> None:
        """Replace float64 values by their sums over the ranks, in place."""
