"""torch's fully_shard (FSDP2; Zhao et al., VLDB 2023, arXiv 2304.11277) under our launcher.

Gradients, optimizer state and, between steps, parameters are divided among the ranks. The parameters are
gathered once a step, by the first micro-batch, and given back after the last one's backward: so a step has as
many collectives on a rank with one micro-batch, or none, as on a rank with many. Gradients are summed, not
averaged, and each rank has divided by the targets of the global batch, so the result is the ring's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from training.errors import TrainingError
from training.launch.ranks import current_backend
from training.launch.stall import StallGuard
from training.optim import FlatGradients, named_parameters
from training.strategies.base import ring_bytes
from training.strategies.group import GroupStrategy, naming_lost_peers, pass_with_nothing


class Fsdp(GroupStrategy):
    """Divides what belongs to the parameters among the ranks."""

    def start(self, model: Any, optimizer: torch.optim.Optimizer) -> None:
        """Keep this rank's part of the parameters and of the optimizer's state.

        Raises:
            TrainingError: Ranks share a GPU; Gloo cannot divide gradients that lie on one.
        """
        self._device = next(model.parameters()).device
        if self._device.type != "cpu" and current_backend() == "gloo":
            raise TrainingError(
                f"train.strategy.ddp.shard needs a GPU for each rank, but the ranks share {self._device} or "
                f"Spark gave them none; set spark.task.resource.gpu.amount to 1, or use strategy ring"
            )
        # Dividing a model gives it another class.
        self._whole = type(model)
        self._model, self._optimizer = model, optimizer
        whole = named_parameters(model)
        states = {name: optimizer.state.pop(parameter, {}) for name, parameter in whole.items()}
        with (
            self._guard.waiting_for("the ranks to divide the model"),
            naming_lost_peers("dividing the model"),
        ):
            mesh = init_device_mesh(self._device.type, (self.world_size,))
            blocks = set(getattr(model, "_no_split_modules", None) or ())
            for module in [m for m in model.modules() if type(m).__name__ in blocks]:
                fully_shard(module, mesh=mesh, reshard_after_forward=False)
            fully_shard(model, mesh=mesh, reshard_after_forward=False)
        self._modules = [module for module in model.modules() if isinstance(module, FSDPModule)]
        # torch's names for the types of these two are private.
        gather: Any = _Collective(self._guard, dist.all_gather_into_tensor)
        scatter: Any = _Collective(self._guard, dist.reduce_scatter_tensor)
        for module in self._modules:
            # Sums, as the other strategies have them.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
            module.set_custom_all_gather(gather)
            module.set_custom_reduce_scatter(scatter)
        self._parts = named_parameters(model)
        places = {id(parameter): self._parts[name] for name, parameter in whole.items()}
        for group in optimizer.param_groups:
            group["params"] = [places[id(parameter)] for parameter in group["params"]]
        for name, state in states.items():
            part = self._parts[name]
            optimizer.state[part] = {kind: _divide(value, part) for kind, value in state.items()}
        self._gathered: list[torch.nn.Parameter] = []
        self._complete = False

    def flat_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> FlatGradients:
        """The gradients of this rank's part of the parameters."""
        return _PartGradients(parameters)

    @contextlib.contextmanager
    def backward(self, *, last: bool) -> Iterator[None]:
        """Around a micro-batch; the last one sums what all of this rank's micro-batches gave."""
        self._model.set_requires_gradient_sync(last)
        self._model.set_is_last_backward(last)
        self._model.set_reshard_after_backward(last)
        with naming_lost_peers("the exchange of parameters and gradients"):
            yield
        self._complete = self._complete or last

    def add_up(self, gradients: torch.Tensor, numbers: torch.Tensor) -> None:
        """Sum the numbers; the gradients are summed already, except on a rank that had no rows."""
        if not self._complete:
            # Every rank must take part in the sum; this one adds nothing to it.
            with self.backward(last=True):
                pass_with_nothing(self._model, self._device)
        self._complete = False
        self.add_numbers(numbers)
        self.sent_bytes += ring_bytes(numbers, self.world_size)
        # Gathering parameters and dividing the sums of gradients among the ranks: half of a ring each.
        size = sum(part.numel() * part.element_size() for part in self._parts.values())
        self.sent_bytes += 2 * (self.world_size - 1) * size

    def clip(self, gradients: FlatGradients, largest: float) -> float:
        """Scale this rank's part so that the norm of all parts is at most `largest`; returns that norm."""
        square = torch.linalg.vector_norm(gradients.buffer, dtype=torch.float64).square().cpu().view(1)
        self.add_numbers(square)
        norm = float(square.sqrt())
        if largest < norm < float("inf"):
            gradients.buffer.mul_(largest / norm)
        return norm

    def update(self, optimizer: torch.optim.Optimizer) -> None:
        """Update this rank's part."""
        self._forget_gathered()
        super().update(optimizer)

    def settle(self) -> None:
        """Gather the parameters: what follows may be another number of forward passes on each rank."""
        for module in self._modules:
            module.unshard()

    def collect(self) -> None:
        """Put the whole state of each parameter into rank 0's optimizer."""
        self._forget_gathered()
        whole = named_parameters(self._model)
        with self._guard.waiting_for("the parts of the optimizer"), naming_lost_peers("gathering the state"):
            for name, part in self._parts.items():
                for kind, value in sorted(self._optimizer.state[part].items()):
                    full = value.full_tensor() if isinstance(value, DTensor) else value
                    if self.rank == 0:
                        self._optimizer.state[whole[name]][kind] = full
        self._gathered = list(whole.values())

    def finish(self, model: Any) -> Any:
        """A plain model with the parameters of all ranks; other ranks than 0 keep what they have."""
        self.settle()
        if self.rank:
            return model
        plain = self._whole._from_config(model.config, dtype=torch.float32)
        plain.generation_config = model.generation_config
        buffers = dict(model.named_buffers())
        with torch.no_grad():
            for name, buffer in plain.named_buffers():
                buffer.copy_(buffers[name])
            # Frozen ones too.
            found = dict(model.named_parameters())
            for name, parameter in plain.named_parameters():
                parameter.copy_(found[name])
        return plain

    def _forget_gathered(self) -> None:
        for parameter in self._gathered:
            self._optimizer.state.pop(parameter, None)
        self._gathered = []


class _PartGradients(FlatGradients):
    """The gradients of a rank's parts of all parameters as views into one buffer; see `FlatGradients`."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        parts: list[Any] = list(parameters)
        sizes = [part.to_local().numel() for part in parts]
        self.buffer = torch.zeros(sum(sizes), dtype=parts[0].dtype, device=parts[0].device)
        for part, view in zip(parts, self.buffer.split(sizes), strict=True):
            local = view.view(part.to_local().shape)
            part.grad = DTensor.from_local(
                local,
                part.device_mesh,
                part.placements,
                run_check=False,
                shape=part.shape,
                stride=part.stride(),
            )


class _Collective:
    """A collective of torch as fully_shard calls it, watched and timed."""

    def __init__(self, guard: StallGuard, collective: Callable[..., Any]) -> None:
        self._guard, self._collective = guard, collective

    def allocate(self, size: Any, *, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        return torch.empty(*size, dtype=dtype, device=device)

    def __call__(
        self,
        output_tensor: torch.Tensor,
        input_tensor: torch.Tensor,
        group: dist.ProcessGroup,
        op: Any = None,
        async_op: bool = False,
    ) -> Any:
        # On a CPU nothing is gained by starting it early: Gloo's threads would compete with the model's.
        starts_only = async_op and output_tensor.device.type != "cpu"
        given = {} if op is None else {"op": op}
        with self._guard.waiting_for("the exchange of parameters and gradients"):
            return self._collective(output_tensor, input_tensor, group=group, async_op=starts_only, **given)


def _divide(value: Any, part: Any) -> Any:
    """This rank's part of a whole tensor that belongs to a parameter; what is not as large stays whole."""
    if not isinstance(value, torch.Tensor) or value.shape != part.shape:
        return value
    return distribute_tensor(value, part.device_mesh, part.placements, src_data_rank=None)
