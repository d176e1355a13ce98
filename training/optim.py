"""Optimizers, the learning rate as a pure function of the step, and the gradients as one flat buffer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from conf.train import TrainConfig
from training.errors import DataError

SCALE = "ringlake_scale"
"""What a group's learning rate is multiplied by, in torch's groups of parameters."""

_LAYER = re.compile(r"(?:^|\.)(\d+)\.")


def learning_rate(config: TrainConfig, step: int) -> float:
    """Rate of a step (from 0), a pure function: linear warm-up, then the schedule down to the minimum.

    - cosine: half a cosine to the last step (Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5, without
      restarts).
    - linear: a straight line to the last step.
    - warmup-stable-decay: the highest rate, then a straight line over the last `decay_share` of the steps
      (Hu et al., "MiniCPM", arXiv 2404.06395; a share of 20% from Hägele et al., arXiv 2405.18392).
    - constant: the highest rate to the end.
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    span = config.learning_rate - config.min_learning_rate
    first = config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    if config.schedule == "warmup-stable-decay":
        decay_steps = max(1, round(config.decay_share * config.steps))
        first = max(first, config.steps - 1 - decay_steps)
    length = max(1, config.steps - 1 - first)
    progress = max(0.0, min(1.0, (step - first) / length))
    if config.schedule == "cosine":
        return config.min_learning_rate + span * 0.5 * (1 + math.cos(math.pi * progress))
    return config.min_learning_rate + span * (1 - progress)


def make_optimizer(model: torch.nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """torch.optim's optimizer of that name; matrices decay, norms and biases do not.

    AdamW: Loshchilov and Hutter, ICLR 2019. Adam: Kingma and Ba, ICLR 2015. RMSprop: Tieleman and Hinton,
    2012. SGD: Sutskever et al., ICML 2013. Adafactor: Shazeer and Stern, ICML 2018.
    """
    groups = _groups(model, config)
    rate = config.learning_rate
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=rate, betas=(config.beta1, config.beta2), fused=True)
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=rate, betas=(config.beta1, config.beta2), fused=True)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=rate, alpha=config.beta2, momentum=config.momentum)
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=rate, momentum=config.momentum, nesterov=config.nesterov, fused=True
        )
    return torch.optim.Adafactor(groups, lr=rate)


def _groups(model: torch.nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Parameters by weight decay and by what their learning rate is multiplied by, `SCALE` in a group."""
    by_kind: dict[tuple[float, bool], list[torch.nn.Parameter]] = {(1.0, True): [], (1.0, False): []}
    scales = layer_scales(list(named_parameters(model)), config.layer_decay)
    for name, parameter in named_parameters(model).items():
        by_kind.setdefault((scales[name], parameter.ndim >= 2), []).append(parameter)
    return [
        {"params": members, "weight_decay": config.weight_decay if is_matrix else 0.0, SCALE: scale}
        for (scale, is_matrix), members in by_kind.items()
    ]


def layer_scales(names: Sequence[str], decay: float) -> dict[str, float]:
    """What the learning rate of each parameter is multiplied by: less, layer by layer, the nearer the input.

    Layer-wise decay as in Clark et al., "ELECTRA" (ICLR 2020), appendix B. The head and what stands above all
    layers have the rate itself, embeddings that of a layer below the first.

    >>> layer_scales(["embeddings.w", "layer.0.w", "layer.1.w", "head.w"], 0.5)
    {'embeddings.w': 0.125, 'layer.0.w': 0.25, 'layer.1.w': 0.5, 'head.w': 1.0}
    """
    numbers = {name: int(found.group(1)) if (found := _LAYER.search(name)) else None for name in names}
    top = max((number + 1 for number in numbers.values() if number is not None), default=0)
    scales = {}
    for name, number in numbers.items():
        depth = number + 1 if number is not None else 0 if "embed" in name else top + 1
        scales[name] = decay ** (top + 1 - depth)
    return scales


def freeze(model: torch.nn.Module, prefixes: Sequence[str]) -> None:
    """Leaves the parameters whose names begin with one of the prefixes as they are.

    Raises:
        DataError: A prefix is that of no parameter, or none is left that learns.
    """
    names = [name for name, _ in model.named_parameters()]
    for prefix in prefixes:
        if not any(name.startswith(prefix) for name in names):
            raise DataError(
                f"train.frozen: no parameter's name begins with {prefix!r}; the first are "
                f"{', '.join(names[:8])}"
            )
    for name, parameter in model.named_parameters():
        if name.startswith(tuple(prefixes)):
            parameter.requires_grad_(False)
    if not named_parameters(model):
        raise DataError(f"train.frozen = {list(prefixes)} leaves no parameter that learns")


def named_parameters(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Trainable parameters by name; tied ones appear once."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def optimizer_tensors(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """All that an optimizer remembers, by `kind/parameter`, for example `exp_avg/lm_head.weight`."""
    return {
        f"{kind}/{name}": value
        for name, parameter in named_parameters(model).items()
        for kind, value in optimizer.state[parameter].items()
        if value is not None
    }


def load_optimizer_tensors(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Give an optimizer back what `optimizer_tensors` took from it.

    Raises:
        DataError: A tensor belongs to no parameter of the model.
    """
    places = {
        id(parameter): index
        for index, parameter in enumerate(
            parameter for group in optimizer.param_groups for parameter in group["params"]
        )
    }
    names = named_parameters(model)
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        kind, _, name = key.partition("/")
        if name not in names:
            raise DataError(f"the checkpoint's optimizer tensor {key!r} is of no parameter of this model")
        state.setdefault(places[id(names[name])], {})[kind] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


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
        """Scale the gradients so that their Euclidean norm is at most `largest`; returns the norm before.

        A norm that is not finite is returned and leaves the gradients as they are.
        """
        norm = float(torch.linalg.vector_norm(self.buffer, dtype=torch.float64))
        if largest < norm < math.inf:
            self.buffer.mul_(largest / norm)
        return norm
