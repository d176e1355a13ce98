"""One optimizer step over a global batch, exact for any number of ranks."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch

from conf.train import TrainConfig
from training.data.reader import Batch
from training.device import peak_memory
from training.logs.metrics import combine_hashes, hash_ids
from training.models.precision import LossScale, autocast
from training.optim import SCALE, learning_rate
from training.strategies import Strategy
from training.strategies.base import TARGETS, ring_bytes
from training.tasks.language_model import LanguageModel
from training.tasks.task import Task
from training.trial import draws_for, try_out

_TRIAL_LENGTH = 8
"""Tokens of the shortest sequences that packing makes."""

_NUM_NUMBERS = 7
"""Values of a step that are summed over the ranks beside the gradients."""


@dataclass(frozen=True)
class StepResult:
    """What a step did, over all ranks.

    Attributes:
        loss: Mean nats per target of the global batch, before the update; NaN where it has no target.
        targets: Targets of the global batch. A sequence of one token has none, and a batch of nothing else
            teaches nothing: such a step changes neither weights nor optimizer.
        grad_norm: Norm of the global gradient before clipping; not finite where there was no update.
        learning_rate: Rate that was used.
        sequences: Sequences in the global batch.
        tokens: Tokens in it, padding excluded.
        wait_seconds: Mean time a rank waited for the batch.
        ids_hash: Hash of the set of sequence ids that the ranks really read.
        compute_seconds: Time in which this rank computed: losses, gradients, its part of the update.
        communication_seconds: Time in which this rank exchanged something with others or waited for them;
            not what went on while it computed.
        memory_bytes: Peak memory of all ranks together, see `peak_memory`.
        loss_scale: Factor on the loss that the step was computed with; 1 unless precision is fp16.
        skipped: Whether there was no update because float16 overflowed; the loss scale is lower now.
    """

    loss: float
    targets: int
    grad_norm: float
    learning_rate: float
    sequences: int
    tokens: int
    wait_seconds: float
    ids_hash: str
    compute_seconds: float
    communication_seconds: float
    memory_bytes: int
    loss_scale: float
    skipped: bool


class Stepper:
    """Computes gradients on this rank's rows, adds them up over the ranks and updates the model.

    Args:
        model: A model of transformers.
        optimizer: Its optimizer.
        strategy: How the ranks work together.
        config: The train section.
        full_targets: About the targets of a full global batch; the loss is divided by it before the
            gradients are added up, so that their scale does not depend on the number of ranks.
        loss_scale: Where the factor on the loss stands; it changes with precision fp16 only.
        task: What it learns; None: language modelling across documents.
        draws: Whether the model draws random numbers in training, dropout for one; None: try it out. Then a
            rank computes one sequence at a time, and each has draws of its own: so these depend neither on
            the micro-batch nor on the number of ranks.

    Attributes:
        rate_scale: What the schedule's learning rate is multiplied by.
        ring_bytes: What all ranks of a ring would send for a step's float32 gradients and numbers.
    """

    def __init__(
        self,
        model: Any,
        optimizer: torch.optim.Optimizer,
        strategy: Strategy,
        config: TrainConfig,
        full_targets: int,
        loss_scale: LossScale,
        task: Task | None = None,
        draws: bool | None = None,
    ) -> None:
        self._task: Task = task or LanguageModel(None, apart=False)
        self._optimizer, self._strategy = optimizer, strategy
        self._config, self._full_targets = config, full_targets
        self._device = next(model.parameters()).device
        self._draws = try_out(model, _TRIAL_LENGTH, self._task) if draws is None else draws
        self._tokens = self._cells = 0
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._gradients = strategy.flat_gradients(parameters)
        self._model = strategy.prepare(model, self._gradients)
        self._loss_scale = loss_scale
        self.rate_scale = 1.0
        numbers = torch.empty(_NUM_NUMBERS, dtype=torch.float64)
        self.ring_bytes = sum(ring_bytes(tensor, strategy.world_size) for tensor in [*parameters, numbers])

    @property
    def padding_share(self) -> float:
        """Padding among the tokens that were computed, 0 to 1."""
        return 1 - self._tokens / self._cells if self._cells else 0.0

    def step(self, batch: Batch, wait_seconds: float, *, settle: bool = False) -> StepResult:
        """One update; none without a target, or if the loss or the norm of the gradient is not finite.

        Args:
            batch: This rank's part of the global batch; it may have no rows.
            wait_seconds: How long this rank waited for it.
            settle: Whether all ranks shall hold the same parameters afterwards: a validation, a checkpoint
                or the end follows.
        """
        config = self._config
        began, exchanged = time.perf_counter(), self._strategy.communication_seconds
        scale = self._loss_scale.scale
        nats, targets = self._accumulate(batch, scale)
        numbers = torch.tensor(
            [
                nats,
                targets,
                len(batch.sequence_ids),
                int(batch.num_tokens.sum()),
                wait_seconds,
                hash_ids(batch.sequence_ids),
                peak_memory(self._device),
            ],
            dtype=torch.float64,
        )
        self._strategy.add_up(self._gradients.buffer, numbers)
        nats, targets, sequences, tokens, waits, hashes, memory = numbers.tolist()
        rate = learning_rate(config, batch.step) * self.rate_scale
        norm, skipped = math.nan, False
        # All ranks see the same sums, so either all update or none does.
        if not targets:
            self._strategy.pass_over()
        elif math.isfinite(nats):
            factor = self._full_targets / targets / scale
            if factor != 1:
                self._gradients.buffer.mul_(factor)
            norm = self._strategy.clip(self._gradients, config.clip_norm)
            if config.precision == "fp16":
                skipped = self._loss_scale.note(norm)
            if math.isfinite(norm):
                for group in self._optimizer.param_groups:
                    group["lr"] = rate * group.get(SCALE, 1.0)
                self._strategy.update(self._optimizer)
            elif skipped:
                self._strategy.pass_over()
        late = self._strategy.settle() if settle else None
        if late is not None:
            if not targets and late[TARGETS]:
                # Asynchronous: this rank had no rows of its own, others report theirs only now.
                norm = 0.0
            nats, targets, sequences, tokens, waits, hashes, memory = (numbers + late).tolist()
        communication_seconds = self._strategy.communication_seconds - exchanged
        return StepResult(
            loss=nats / targets if targets else math.nan,
            targets=int(targets),
            grad_norm=norm,
            learning_rate=rate,
            sequences=int(sequences),
            tokens=int(tokens),
            wait_seconds=waits / self._strategy.world_size,
            ids_hash=combine_hashes(hashes),
            compute_seconds=time.perf_counter() - began - communication_seconds,
            communication_seconds=communication_seconds,
            memory_bytes=int(memory),
            loss_scale=scale,
            skipped=skipped,
        )

    def _accumulate(self, batch: Batch, scale: float) -> tuple[float, int]:
        """Gradients of this rank's rows, micro-batch by micro-batch; returns sum of nats and targets."""
        self._gradients.zero()
        # Summed on the device: a GPU is asked for the value once a step, not once a micro-batch.
        nats = torch.zeros((), dtype=torch.float64, device=self._device)
        parts = self._task.micro_batches(batch, self._config.micro_batch_size, alone=self._draws)
        for number, part in enumerate(parts, 1):
            tensors = part.on(self._device)
            if self._draws:
                draws_for(self._config.seed, batch.step, part.sequence_id)
            with self._strategy.backward(last=number == len(parts)):
                with autocast(self._config.precision, self._device):
                    loss = self._task.loss(self._model, tensors)
                (loss / (self._full_targets / scale)).backward()
            nats += loss.detach()
            self._tokens, self._cells = self._tokens + part.tokens, self._cells + part.cells
        targets = sum(part.targets for part in parts)
        if self._device.type == "cuda":
            # The sum over the ranks waits for the gradients anyway; so its time is not the backward pass's.
            torch.cuda.synchronize(self._device)
        return float(nats), targets
