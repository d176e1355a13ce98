"""One rank: nothing to communicate."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class Single:
    """The strategy of a rank that is alone."""

    rank = 0
    world_size = 1

    def broadcast(self, tensors: Sequence[torch.Tensor]) -> None:
        """Nothing to do."""

    def add_up(self, gradients: torch.Tensor, numbers: torch.Tensor) -> None:
        """Nothing to do."""

    def add_numbers(self, numbers: torch.Tensor) -> None:
        """Nothing to do."""
