"""One rank: nothing to communicate."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from training.strategies.base import Strategy


class Single(Strategy):
    """The strategy of a rank that is alone."""

    rank = 0
    world_size = 1

    def broadcast(self, tensors: Sequence[torch.Tensor], root: int = 0) -> None:
        """Nothing to do."""

    def add_up(self, gradients: torch.Tensor, numbers: torch.Tensor) -> None:
        """Nothing to do."""

    def add_numbers(self, numbers: torch.Tensor) -> None:
        """Nothing to do."""

    def add(self, tensor: torch.Tensor, what: str) -> None:
        """Nothing to do."""
