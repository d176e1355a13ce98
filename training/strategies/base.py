"""What a strategy does for the loop, with the defaults of ranks that each hold the whole model.

The loop calls, in this order:

    start(model, optimizer)        once, when model and optimizer are as new or restored
    flat_gradients(parameters)     once
    prepare(model, gradients)      once, before the first step
    each step:
        backward(last=...)         around forward and backward of each micro-batch
        add_up(gradients, numbers)
        clip(gradients, largest)   -> norm of the gradient that will be used
        update(optimizer)          or pass_over() where there is nothing to learn, or float16 overflowed
        settle()                   at steps that are followed by a validation, a checkpoint or the end
        collect()                  at steps that are followed by a checkpoint
        metrics()
    finish(model)                  once, after the last step
    close()                        once, at the end
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from training.optim import FlatGradients

TARGETS = 1
"""Which of a step's numbers is the number of targets."""


class Strategy(ABC):
    """How ranks work together.

    Attributes:
        rank: This rank.
        world_size: Number of ranks.
        sent_bytes: Bytes that all ranks (and servers) together have sent for updates since `metrics` was
            last asked, by the algorithm's own count: payloads without headers.
    """

    rank: int
    world_size: int
    sent_bytes: int = 0

    @property
    def has_lost_ranks(self) -> bool:
        """Whether the others go on without a rank, whose part of each global batch is left out."""
        return False

    @property
    def communication_seconds(self) -> float:
        """Time in which this rank exchanged something with others or waited for them, since its start.

        What goes on while the rank computes does not count.
        """
        return 0.0

    @abstractmethod
    def broadcast(self, tensors: Sequence[torch.Tensor]) -> None:
        """Give every rank rank 0's values, in place."""

    @abstractmethod
    def add_up(self, gradients: torch.Tensor, numbers: torch.Tensor) -> None:
        """Join what the ranks computed in a step, in place.

        Afterwards `gradients / numbers[TARGETS]`, times the constant that the ranks divided by, is the
        gradient that this rank's update shall use.

        Args:
            gradients: The flat gradient buffer.
            numbers: A few float64 values of the step; they become sums over the ranks.
        """

    @abstractmethod
    def add_numbers(self, numbers: torch.Tensor) -> None:
        """Replace float64 values by their sums over the ranks, in place."""

    def start(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:  # noqa: B027
        """Take over the state to go on from; all ranks hold what rank 0 restored."""

    def flat_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> FlatGradients:
        """The buffer of the gradients that this rank updates with."""
        return FlatGradients(parameters)

    def prepare(self, model: Any, gradients: FlatGradients) -> Any:
        """Get ready for steps; returns the model to call in them."""
        return model

    def backward(self, *, last: bool) -> contextlib.AbstractContextManager[None]:
        """Around forward and backward of a micro-batch.

        Args:
            last: Whether it is this rank's last one in the step.
        """
        return contextlib.nullcontext()

    def clip(self, gradients: FlatGradients, largest: float) -> float:
        """Scale the gradient so that its norm is at most `largest`; returns the norm before."""
        return gradients.clip(largest)

    def update(self, optimizer: torch.optim.Optimizer) -> None:
        """Update the parameters with the gradients and rates that are set."""
        optimizer.step()

    def pass_over(self) -> None:  # noqa: B027
        """Take part in a step that has no update; all ranks whose sums say so call it."""

    def settle(self) -> torch.Tensor | None:
        """Give all ranks the parameters that count; all ranks call it after the same step.

        Returns:
            What other ranks still reported, to be added to this step's numbers; None: nothing.
        """
        return None

    def collect(self) -> None:  # noqa: B027
        """Put into rank 0's model and optimizer all that a checkpoint needs; all ranks call it, settled."""

    def finish(self, model: Any) -> Any:
        """The model that rank 0 exports; all ranks call it after the last step."""
        return model

    def metrics(self) -> dict[str, Any]:
        """What the strategy has to say about the last step, for the log; JSON values."""
        sent, self.sent_bytes = self.sent_bytes, 0
        return {"sent_bytes": sent}

    def close(self) -> None:  # noqa: B027
        """Say goodbye to the others; the training has ended well on this rank."""


def ring_bytes(tensor: torch.Tensor, world_size: int) -> int:
    """Bytes that all ranks of a ring all-reduce send together: each sends 2 (W-1)/W of the tensor.

    Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms", JPDC 2009.
    """
    return 2 * (world_size - 1) * tensor.numel() * tensor.element_size()
