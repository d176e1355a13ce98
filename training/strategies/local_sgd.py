"""Local steps on each rank, then an average of the parameters (Stich, ICLR 2019; DiLoCo, arXiv 2311.08105).

Each rank updates its own copy with the gradient of its own rows, scaled as if they were the whole global
batch. After `local_steps` steps all ranks take the average of their parameters, or a step of an outer
optimizer towards it. Per step only a handful of numbers goes over the ring: loss, targets and the hash of
the sequence ids, for the log and so that all ranks stop at a loss that is not finite.

The optimizer's moments stay each rank's own, as in DiLoCo. A checkpoint holds those of all ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from conf.strategy import LocalSgdConfig
from training.strategies.base import Strategy, ring_bytes

OUTER = "outer_momentum"
"""Name of the outer optimizer's momentum in the optimizer's state of a parameter."""

_Kinds = list[tuple[torch.nn.Parameter, str]]


class _Ranks(Protocol):
    rank: int
    world_size: int

    @property
    def communication_seconds(self) -> float: ...

    def broadcast(self, tensors: Sequence[torch.Tensor], root: int = 0) -> None: ...

    def add_numbers(self, numbers: torch.Tensor) -> None: ...

    def add(self, tensor: torch.Tensor, what: str) -> None: ...


class LocalSgd(Strategy):
    """Averages parameters over the ranks every few steps.

    Args:
        ranks: The ring, or a single rank.
        config: The local_sgd section.
    """

    def __init__(self, ranks: _Ranks, config: LocalSgdConfig) -> None:
        self._ranks, self._config = ranks, config
        self.rank, self.world_size = ranks.rank, ranks.world_size
        self._open_steps = 0

    @property
    def communication_seconds(self) -> float:
        """Time spent with the other ranks, since the start."""
        return self._ranks.communication_seconds

    def start(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Take this rank's own moments and the outer momentum out of what rank 0 restored."""
        self._optimizer = optimizer
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._take_own_moments()
        if self._config.outer == "nesterov":
            self._start_outer(self._config)

    def _start_outer(self, config: LocalSgdConfig) -> None:
        # The outer gradient is how far the average has moved; torch's own optimizer does the rest.
        self._anchor = torch.nn.Parameter(self._flat())
        self._outer = torch.optim.SGD(
            [self._anchor], lr=config.outer_learning_rate, momentum=config.outer_momentum, nesterov=True
        )
        momenta = [self._optimizer.state[parameter].pop(OUTER, None) for parameter in self._parameters]
        found = [momentum.flatten() for momentum in momenta if momentum is not None]
        if len(found) == len(momenta):
            self._outer.state[self._anchor]["momentum_buffer"] = torch.cat(found).to(self._anchor)

    def broadcast(self, tensors: Sequence[torch.Tensor]) -> None:
        """Give every rank rank 0's values, in place."""
        self._ranks.broadcast(tensors)

    def add_numbers(self, numbers: torch.Tensor) -> None:
        """Replace float64 values by their sums over the ranks, in place."""
        self._ranks.add_numbers(numbers)

    def add_up(self, gradients: torch.Tensor, numbers: torch.Tensor) -> None:
        """Sum the numbers; the gradients stay this rank's own, as large as all ranks' would be."""
        self._ranks.add_numbers(numbers)
        self.sent_bytes += ring_bytes(numbers, self.world_size)
        if self.world_size > 1:
            gradients.mul_(self.world_size)

    def update(self, optimizer: torch.optim.Optimizer) -> None:
        """A local step; an average if it was the last of its round."""
        super().update(optimizer)
        self.pass_over()

    def pass_over(self) -> None:
        """Count a step of the round: rounds stay in step with validations and checkpoints."""
        self._open_steps += 1
        if self._open_steps == self._config.local_steps:
            self._end_round()

    def settle(self) -> None:
        """End a round that the end of the training cuts short."""
        if self._open_steps:
            self._end_round()

    def collect(self) -> None:
        """Give rank 0 the moments of all ranks; it keeps them beside its own, under `rank1.` and so on."""
        kinds = self._kinds()
        for rank in range(1, self.world_size):
            flat = self._flat_moments(kinds)
            self._ranks.broadcast([flat], root=rank)
            if self.rank == 0:
                self._put(flat, kinds, f"rank{rank}.")
        if self.rank == 0 and self._config.outer == "nesterov":
            momentum = self._outer.state[self._anchor].get("momentum_buffer")
            if momentum is not None:
                for parameter, part in zip(self._parameters, self._split(momentum), strict=True):
                    self._optimizer.state[parameter][OUTER] = part.view_as(parameter)

    def _end_round(self) -> None:
        self._open_steps = 0
        mean = self._flat()
        self._ranks.add(mean, "parameters")
        self.sent_bytes += ring_bytes(mean, self.world_size)
        mean /= self.world_size
        if self._config.outer == "nesterov":
            self._anchor.grad = self._anchor.detach() - mean
            self._outer.step()
            mean = self._anchor.detach()
        with torch.no_grad():
            for parameter, part in zip(self._parameters, self._split(mean), strict=True):
                parameter.copy_(part.view_as(parameter))

    def _flat(self) -> torch.Tensor:
        return torch.cat([parameter.detach().flatten() for parameter in self._parameters])

    def _split(self, flat: torch.Tensor) -> Sequence[torch.Tensor]:
        parts: Sequence[torch.Tensor] = flat.split([parameter.numel() for parameter in self._parameters])
        return parts

    def _kinds(self) -> _Kinds:
        """This rank's own moments: parameter and name, the same list on all ranks."""
        return [
            (parameter, kind)
            for parameter in self._parameters
            for kind, value in sorted(self._optimizer.state[parameter].items())
            if isinstance(value, torch.Tensor) and value.ndim and "." not in kind and kind != OUTER
        ]

    def _flat_moments(self, kinds: _Kinds, prefix: str = "") -> torch.Tensor:
        parts = [self._optimizer.state[parameter][prefix + kind].flatten() for parameter, kind in kinds]
        return torch.cat(parts) if parts else torch.zeros(1)

    def _put(self, flat: torch.Tensor, kinds: _Kinds, prefix: str) -> None:
        offset = 0
        for parameter, kind in kinds:
            like = self._optimizer.state[parameter][kind]
            part = flat[offset : offset + like.numel()]
            self._optimizer.state[parameter][prefix + kind] = part.view_as(like).clone()
            offset += like.numel()

    def _take_own_moments(self) -> None:
        """With as many ranks as before each takes its own moments, else all take the mean of all."""
        kinds = self._kinds()
        states = [self._optimizer.state[parameter] for parameter in self._parameters]
        ranks = {int(kind[4:].split(".")[0]) for state in states for kind in state if kind.startswith("rank")}
        if kinds and len(ranks) + 1 == self.world_size:
            if self.rank:
                self._put(self._flat_moments(kinds, f"rank{self.rank}."), kinds, "")
        elif kinds and ranks:
            everyone = [self._flat_moments(kinds, f"rank{rank}.") for rank in sorted(ranks)]
            mean = torch.stack([self._flat_moments(kinds), *everyone]).mean(0)
            self._put(mean, kinds, "")
        for state in states:
            for kind in [kind for kind in state if kind.startswith("rank")]:
                del state[kind]
