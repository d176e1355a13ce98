"""Validation that steers training: the best step, early stopping, a lower rate on a plateau. Pure logic."""

from __future__ import annotations

import math
from dataclasses import dataclass

from conf.train import TrainConfig


@dataclass
class Steering:
    """What validations have decided so far; part of every checkpoint, the same on every rank.

    All ranks see the same validation loss, a sum over the ranks, so they decide the same.

    Attributes:
        best_loss: Lowest validation loss, nats per target; NaN before the first that is a number.
        best_step: Step of it; 0 before the first validation.
        reference: Loss that the next one must be below by `min_delta` to count as an improvement.
        without_gain: Validations since the last improvement; `patience` of them stop training.
        on_plateau: The same since the last improvement or reduction of the rate.
        rate_scale: What the schedule's learning rate is multiplied by.
        stopped: Whether training stopped early.
    """

    best_loss: float = math.nan
    best_step: int = 0
    reference: float = math.nan
    without_gain: int = 0
    on_plateau: int = 0
    rate_scale: float = 1.0
    stopped: bool = False

    def note(self, loss: float, step: int, config: TrainConfig) -> list[str]:
        """Take a validation loss.

        Args:
            loss: The validation loss, nats per target.
            step: Optimizer steps done.
            config: Its patience, min_delta and plateau.

        Returns:
            A line for each decision other than that the loss is the best.
        """
        # A loss that is no number is no improvement, not even as the first one.
        if loss < self.best_loss or (math.isnan(self.best_loss) and not math.isnan(loss)):
            self.best_loss, self.best_step = loss, step
        if loss < self.reference - config.min_delta or (math.isnan(self.reference) and not math.isnan(loss)):
            self.reference, self.without_gain, self.on_plateau = loss, 0, 0
            return []
        self.without_gain += 1
        self.on_plateau += 1
        decisions = []
        plateau = config.plateau
        if plateau.patience is not None and self.on_plateau >= plateau.patience:
            self.rate_scale *= plateau.factor
            decisions.append(
                f"validation loss has not improved for {self.on_plateau} validations "
                f"(train.plateau.patience); the learning rate is now {self.rate_scale:g} of its schedule"
            )
            self.on_plateau = 0
        if config.patience is not None and self.without_gain >= config.patience:
            self.stopped = True
            decisions.append(
                f"validation loss has not improved for {self.without_gain} validations (train.patience); "
                f"training stops; the best loss was {self.best_loss:.4f} at step {self.best_step}"
            )
        return decisions
