"""AdamW with its learning rate as a pure function of the step, and the gradients as one flat buffer."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from conf.learn import TrainConfig


def learning_rate(config: TrainConfig, step: int) -> float:
    """Rate of a step (from 0): linear warm-up, then a half cosine down to the minimum at the last step.

    Loshchilov and Hutter, "SGDR" (ICLR 2017), equation 5, without restarts.
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    length = max(1, config.steps - 1 - config.warmup_steps)
    progress = min(1.0, (step - config.warmup_steps) / length)
    span = config.learning_rate - config.min_learning_rate
    return config.min_learning_rate + span * 0.5 * (1 + math.cos(math.pi * progress))


def make_optimizer(model: torch.nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, 2019); matrices decay, norms and biases do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        fused=True,
    )


class FlatGradients:
    """The gradients of all parameters as views into one buffer: one collective, one norm, one scaling.

    Args:
        parameters: Trainable parameters of one dtype on one device; their `grad` becomes a view.

    Attributes:
        buffer: All gradients, (number of parameters,).
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        self._parameters = list(parameters)
        first = self._parameters[0]
        total = sum(parameter.numel() for parameter in self._parameters)
        self.buffer = torch.zeros(total, dtype=first.dtype, device=first.device)
        offset = 0
        for parameter in self._parameters:
            end = offset + parameter.numel()
            parameter.grad = self.buffer[offset:end].view_as(parameter)
            offset = end

    def zero(self) -> None:
        """Set all gradients to 0."""
        self.buffer.zero_()

    def clip(self, largest: float) -> float:
        """Scale the gradients so that their Euclidean norm is at most `largest`; returns the norm before."""
        norm = float(torch.linalg.vector_norm(self.buffer, dtype=torch.float64))
        if norm > largest:
            self.buffer.mul_(largest / norm)
        return norm
