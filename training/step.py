"""One optimizer step over a global batch, exact for any number of ranks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from conf.learn import TrainConfig
from training.data.permutation import derive_seed
from training.data.reader import Batch
from training.loss import shift_targets, sum_nats
from training.metrics import combine_hashes, hash_ids
from training.optim import FlatGradients, learning_rate
from training.strategies import Strategy

_DROPOUT = 12
"""Purpose of the derived seed of a step's dropout."""


@dataclass(frozen=True)
class StepResult:
    """What a step did, over all ranks.

    Attributes:
        loss: Mean nats a target of the global batch, before the update.
        grad_norm: Norm of the global gradient before clipping.
        learning_rate: Rate that was used.
        sequences: Sequences in the global batch.
        tokens: Tokens in it, padding excluded.
        wait_seconds: Mean time a rank waited for the batch.
        ids_hash: Hash of the set of sequence ids that the ranks really read.
    """

    loss: float
    grad_norm: float
    learning_rate: float
    sequences: int
    tokens: int
    wait_seconds: float
    ids_hash: str


class Stepper:
    """Computes gradients on this rank's rows, adds them up over the ranks and updates the model.

    Args:
        model: A causal language model of transformers.
        optimizer: Its optimizer.
        strategy: How the ranks work together.
        config: The train section.
        full_targets: Targets of a full global batch; the loss is divided by it before the gradients are
            added up, so that their scale does not depend on the number of ranks.
    """

    def __init__(
        self,
        model: Any,
        optimizer: torch.optim.Optimizer,
        strategy: Strategy,
        config: TrainConfig,
        full_targets: int,
    ) -> None:
        self._model, self._optimizer, self._strategy = model, optimizer, strategy
        self._config, self._full_targets = config, full_targets
        self._device = next(model.parameters()).device
        self._gradients = FlatGradients(p for p in model.parameters() if p.requires_grad)
        self._model = strategy.prepare(model, self._gradients)

    def step(self, batch: Batch, wait_seconds: float, *, settle: bool = False) -> StepResult:
        """One update; without it, and with a loss that is not finite, if the loss is not finite.

        Args:
            batch: This rank's part of the global batch; it may have no rows.
            wait_seconds: How long this rank waited for it.
            settle: Whether all ranks shall hold the same parameters afterwards: a validation, a checkpoint
                or the end follows.
        """
        config = self._config
        # A seed for each step: dropout after a resume is what it would have been.
        torch.manual_seed(derive_seed(config.seed, _DROPOUT, batch.step, self._strategy.rank))
        nats, targets = self._accumulate(batch)
        numbers = torch.tensor(
            [
                nats,
                targets,
                len(batch.sequence_ids),
                int(batch.num_tokens.sum()),
                wait_seconds,
                hash_ids(batch.sequence_ids),
            ],
            dtype=torch.float64,
        )
        self._strategy.add_up(self._gradients.buffer, numbers)
        nats, targets, sequences, tokens, waits, hashes = numbers.tolist()
        rate = learning_rate(config, batch.step)
        norm = math.nan
        # All ranks see the same sums, so either all update or none does.
        if math.isfinite(nats):
            if targets != self._full_targets:
                self._gradients.buffer.mul_(self._full_targets / targets)
            norm = self._strategy.clip(self._gradients, config.clip_norm)
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            self._strategy.update(self._optimizer)
        late = self._strategy.settle() if settle else None
        if late is not None:
            nats, targets, sequences, tokens, waits, hashes = (numbers + late).tolist()
        return StepResult(
            loss=nats / targets,
            grad_norm=norm,
            learning_rate=rate,
            sequences=int(sequences),
            tokens=int(tokens),
            wait_seconds=waits / self._strategy.world_size,
            ids_hash=combine_hashes(hashes),
        )

    def _accumulate(self, batch: Batch) -> tuple[float, int]:
        """Gradients of this rank's rows, micro-batch by micro-batch; returns sum of nats and targets."""
        self._gradients.zero()
        nats, targets = 0.0, 0
        size = self._config.micro_batch_size
        for low in range(0, len(batch.sequence_ids), size):
            ids = torch.from_numpy(batch.input_ids[low : low + size].astype(np.int64)).to(self._device)
            lengths = torch.from_numpy(batch.num_tokens[low : low + size].astype(np.int64)).to(self._device)
            with self._strategy.backward(last=low + size >= len(batch.sequence_ids)):
                loss = sum_nats(self._model, ids, shift_targets(ids, lengths))
                (loss / self._full_targets).backward()
            nats += float(loss.detach())
            targets += int((lengths - 1).sum())
        return nats, targets
