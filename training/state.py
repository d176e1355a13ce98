"""What training carries from step to step, and how it goes into a checkpoint and comes back on all ranks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from training.checkpoint import Checkpoint, load_latest
from training.errors import DataError
from training.optim import load_optimizer_tensors, named_parameters, optimizer_tensors
from training.precision import LossScale
from training.steering import Steering
from training.storage import Folder
from training.strategies import Strategy


@dataclass
class Totals:
    """Running totals of a training, over all its restarts.

    Attributes:
        step: Optimizer steps done.
        sequences: Sequences that went into them.
        tokens: Tokens in those, padding excluded.
        seconds: Time the steps took.
        wait_seconds: Mean time a rank waited for data in them.
        communication_seconds: Time rank 0 spent with the other ranks, waiting included, in those steps.
        loss: Loss of the last step, nats a target.
        validation_loss: The last validation loss; NaN before the first.
    """

    step: int = 0
    sequences: int = 0
    tokens: int = 0
    seconds: float = 0.0
    wait_seconds: float = 0.0
    communication_seconds: float = 0.0
    loss: float = float("nan")
    validation_loss: float = float("nan")


@dataclass
class TrainingState:
    """All that training goes on from beside weights, optimizer and the plan.

    Attributes:
        totals: Running totals.
        steering: What validations have decided.
        loss_scale: Where float16's loss scale stands.
    """

    totals: Totals = field(default_factory=Totals)
    steering: Steering = field(default_factory=Steering)
    loss_scale: LossScale = field(default_factory=LossScale)

    @classmethod
    def parse(cls, tree: Mapping[str, Any]) -> TrainingState:
        """The state from its JSON values."""
        return cls(
            totals=Totals(**tree["totals"]),
            steering=Steering(**tree["steering"]),
            loss_scale=LossScale(**tree["loss_scale"]),
        )


def capture(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    state: TrainingState,
    identity: dict[str, Any],
) -> Checkpoint:
    """The state of this rank as a checkpoint; ranks are equal, so rank 0's is everybody's.

    The tensors are copies in host memory: training may go on while the checkpoint is written.
    """
    return Checkpoint(
        step=state.totals.step,
        model=_on_host({name: parameter.data for name, parameter in named_parameters(model).items()}),
        optimizer=_on_host(optimizer_tensors(model, optimizer)),
        state={**asdict(state), "best_step": state.steering.best_step, "identity": identity},
    )


def restore(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    strategy: Strategy,
    folder: Folder,
    identity: dict[str, Any],
    fresh: TrainingState,
    say: Callable[[str], None],
) -> TrainingState:
    """Start all ranks equal: from the newest whole checkpoint, else from rank 0's initial weights.

    Only rank 0 reads files; the others get everything from it.

    Returns:
        The state to go on from; `fresh` without a checkpoint.
    """
    checkpoint = load_latest(folder, identity, say) if strategy.rank == 0 else None
    kept = checkpoint.optimizer if checkpoint is not None else {}
    plan = broadcast_json(
        strategy,
        {
            "state": checkpoint.state if checkpoint is not None else None,
            "optimizer": {key: [str(t.dtype).removeprefix("torch."), [*t.shape]] for key, t in kept.items()},
        },
    )
    if checkpoint is not None:
        copy_weights(checkpoint, model)
    parameters = named_parameters(model)
    moments = {}
    for key, (dtype, shape) in plan["optimizer"].items():
        parameter = parameters.get(key.partition("/")[2])
        device = parameter.device if parameter is not None else torch.device("cpu")
        moments[key] = torch.zeros(shape, dtype=getattr(torch, dtype), device=device)
        if checkpoint is not None:
            moments[key].copy_(kept[key])
    tensors = [*(parameter.data for parameter in parameters.values()), *moments.values()]
    strategy.broadcast([tensor.view(1) if tensor.ndim == 0 else tensor for tensor in tensors])
    if plan["state"] is None:
        return fresh
    load_optimizer_tensors(model, optimizer, moments)
    return TrainingState.parse(plan["state"])


def copy_weights(checkpoint: Checkpoint, model: torch.nn.Module) -> None:
    """Give a model the weights of a checkpoint.

    Raises:
        DataError: A parameter is missing there or has another shape.
    """
    for name, parameter in named_parameters(model).items():
        found = checkpoint.model.get(name)
        if found is None or found.shape != parameter.shape:
            shape = "missing" if found is None else f"{tuple(found.shape)}"
            raise DataError(
                f"the checkpoint's tensor {name} is {shape}, but the model has {tuple(parameter.shape)}"
            )
        parameter.data.copy_(found)


def broadcast_json(strategy: Strategy, value: Any) -> Any:
    """Rank 0's JSON value on every rank."""
    content = json.dumps(value).encode() if strategy.rank == 0 else b""
    length = torch.tensor([len(content)], dtype=torch.int64)
    strategy.broadcast([length])
    buffer = torch.zeros(int(length), dtype=torch.uint8)
    if strategy.rank == 0:
        buffer.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
    strategy.broadcast([buffer])
    return json.loads(buffer.numpy().tobytes())


def _on_host(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
