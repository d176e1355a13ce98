"""What ranks tell the driver when they have ended; it reads them without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Totals:
    """Running totals of a training, over all its restarts.

    Attributes:
        step: Optimizer steps done.
        sequences: Sequences that went into them.
        lost: Sequences of them that were left out because a rank died that the others could go on without.
        tokens: Tokens in those, padding excluded.
        seconds: Time the steps took.
        wait_seconds: Mean time a rank waited for data in them.
        communication_seconds: Time rank 0 spent with the other ranks, waiting included, in those steps.
        loss: Loss of the last step that had a target, nats per target; NaN before the first.
        validation_loss: The last validation loss; NaN before the first.
    """

    step: int = 0
    sequences: int = 0
    lost: int = 0
    tokens: int = 0
    seconds: float = 0.0
    wait_seconds: float = 0.0
    communication_seconds: float = 0.0
    loss: float = float("nan")
    validation_loss: float = float("nan")


@dataclass(frozen=True)
class Trained:
    """What a rank of a training has done, equal on all ranks up to times.

    Attributes:
        totals: Over all restarts of the training.
        best_validation_loss: The lowest validation loss, nats per target; NaN before the first.
        best_step: Step of it, or 0.
        stopped_early: Whether training stopped because validation no longer improved.
        parameters: Trainable numbers in the model.
        flops_per_token: Of the model, forward and backward, see `training.models.flops`.
        resumed_from: Step of the checkpoint that it went on from; 0 if there was none.
        num_ranks: Ranks, parameter servers not counted.
        gpu_seconds: Time for which the ranks held a GPU since this call began, all together.
    """

    totals: Totals
    best_validation_loss: float
    best_step: int
    stopped_early: bool
    parameters: int
    flops_per_token: float
    resumed_from: int
    num_ranks: int
    gpu_seconds: float = 0.0


@dataclass(frozen=True)
class Served:
    """What a parameter server has done.

    Attributes:
        updates: Updates of its parameters.
    """

    updates: int


@dataclass(frozen=True)
class Score:
    """A model's score.

    Attributes:
        nats: Sum of -ln p over all targets.
        num_targets: Predicted tokens: positions 1 to num_tokens - 1 of each sequence, from those before.
        num_bytes: UTF-8 bytes that they stand for; special tokens stand for none. 0 if not asked for.
        num_sequences: Sequences that were scored.
        gpu_seconds: Time for which the ranks held a GPU, all together.
    """

    nats: float
    num_targets: int
    num_bytes: int
    num_sequences: int
    gpu_seconds: float = 0.0

    @property
    def loss(self) -> float | None:
        """Mean nats per target; None where there is no target: each sequence is a single token."""
        return self.nats / self.num_targets if self.num_targets else None

    @property
    def bits_per_byte(self) -> float | None:
        """Bits needed for each byte of the predicted text (Gao et al., arXiv 2101.00027, section 3.1).

        None where the targets stand for no text: there is none, or all are special tokens.
        """
        return self.nats / math.log(2) / self.num_bytes if self.num_bytes else None
