"""What training carries from step to step, and how it goes into a checkpoint and comes back on all ranks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

import torch

from ringlake.base.storage import Folder
from training.checkpoints.checkpoint import Checkpoint, load_latest
from training.checkpoints.identity import MADE_BY, checkpoint_place, refuse_other
from training.errors import DataError
from training.models.precision import LossScale
from training.optim import load_optimizer_tensors, named_parameters, optimizer_tensors
from training.outcome import Totals
from training.steering import Steering
from training.strategies import Strategy
from training.version import training_code

_Part = TypeVar("_Part")


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
        """The state from its JSON values; ValueError if they are not those that this release writes."""
        return cls(
            totals=_part(Totals, tree, "totals"),
            steering=_part(Steering, tree, "steering"),
            loss_scale=_part(LossScale, tree, "loss_scale"),
        )


def _part(kind: type[_Part], tree: Mapping[str, Any], name: str) -> _Part:
    found = tree.get(name)
    wanted = {item.name: str(item.type) for item in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(found, dict) or found.keys() != wanted.keys():
        keys = sorted(found) if isinstance(found, dict) else found
        raise ValueError(f"{name} has {keys!r}, wanted are {sorted(wanted)}")
    for key, value in found.items():
        # A whole number is as good as a float; a truth value, which Python takes for a number, is not.
        allowed = ("int", "float") if type(value) is int else (type(value).__name__,)
        if wanted[key] not in allowed:
            raise ValueError(f"{name}.{key} is {value!r}, wanted is a value of type {wanted[key]}")
    return kind(**found)


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
        state={
            **asdict(state),
            "best_step": state.steering.best_step,
            "identity": identity,
            MADE_BY: training_code(),
        },
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

    Raises:
        DataError: The newest whole checkpoint is of something else, or not as this release writes it.
    """
    checkpoint = load_latest(folder, identity, say) if strategy.rank == 0 else None
    if checkpoint is not None:
        _check_readable(checkpoint, folder, model)
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


def _check_readable(checkpoint: Checkpoint, folder: Folder, model: torch.nn.Module) -> None:
    """DataError that names both releases unless state and tensors are such as this release writes."""
    try:
        state = TrainingState.parse(checkpoint.state)
        if state.totals.step != checkpoint.step:
            raise ValueError(f"its state is that of step {state.totals.step}")
        shapes = {name: tuple(value.shape) for name, value in named_parameters(model).items()}
        check_shapes(checkpoint.model, shapes)
        strange = sorted({key.partition("/")[2] for key in checkpoint.optimizer} - shapes.keys())
        if strange:
            raise ValueError(f"the optimizer's state of {strange[0]!r} is of no parameter of this model")
    except ValueError as error:
        place = checkpoint_place(folder, checkpoint.step)
        raise refuse_other(place, checkpoint.state, str(error)) from error


def check_shapes(found: Mapping[str, torch.Tensor], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """ValueError unless tensors have the names and shapes of a model's parameters, no more and no less."""
    for name in sorted({*found, *wanted}):
        shape = tuple(found[name].shape) if name in found else "missing"
        if shape != wanted.get(name, "missing"):
            raise ValueError(f"tensor {name} is {shape}, in the model it is {wanted.get(name, 'missing')}")


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
