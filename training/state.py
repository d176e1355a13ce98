"""What training carries from step to step, and how it goes into a checkpoint and comes back on all ranks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch

from training.checkpoint import Checkpoint, load_latest
from training.errors import DataError
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
        loss: Loss of the last step, nats a target.
        validation_loss: The last validation loss; NaN before the first.
        best_validation_loss: The lowest one; NaN before the first.
    """

    step: int = 0
    sequences: int = 0
    tokens: int = 0
    seconds: float = 0.0
    wait_seconds: float = 0.0
    loss: float = float("nan")
    validation_loss: float = float("nan")
    best_validation_loss: float = float("nan")

    def note_validation(self, loss: float) -> None:
        """Remember a validation loss."""
        self.validation_loss = loss
        if not self.best_validation_loss <= loss:
            self.best_validation_loss = loss


def capture(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, totals: Totals, identity: dict[str, Any]
) -> Checkpoint:
    """The state of this rank as a checkpoint; ranks are equal, so rank 0's is everybody's."""
    moments = {
        f"{kind}/{name}": value
        for name, parameter in _named(model).items()
        for kind, value in optimizer.state[parameter].items()
        if kind != "step"
    }
    return Checkpoint(
        step=totals.step,
        model={name: parameter.data for name, parameter in _named(model).items()},
        optimizer=moments,
        state={"totals": asdict(totals), "identity": identity},
    )


def restore(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    strategy: Strategy,
    folder: Folder,
    identity: dict[str, Any],
    say: Callable[[str], None],
) -> Totals:
    """Start all ranks equal: from the newest whole checkpoint, else from rank 0's initial weights.

    Only rank 0 reads files; the others get everything from it.

    Returns:
        The totals to go on from; step 0 without a checkpoint.
    """
    totals = Totals()
    checkpoint = load_latest(folder, identity, say) if strategy.rank == 0 else None
    if checkpoint is not None:
        totals = Totals(**checkpoint.state["totals"])
    numbers = torch.tensor(
        [float(getattr(totals, field.name)) for field in fields(Totals)], dtype=torch.float64
    )
    strategy.broadcast([numbers])
    for field, value in zip(fields(Totals), numbers.tolist(), strict=True):
        setattr(totals, field.name, int(value) if field.type == "int" else value)
    parameters = _named(model)
    tensors = [parameter.data for parameter in parameters.values()]
    if totals.step:
        kept = checkpoint.optimizer if checkpoint is not None else {}
        for name, parameter in parameters.items():
            if checkpoint is not None:
                _copy(checkpoint.model, name, parameter.data)
            count = torch.tensor(float(totals.step), dtype=torch.float32, device=parameter.device)
            optimizer.state[parameter] = {"step": count}
        for key in broadcast_json(strategy, sorted(kept)):
            kind, _, name = key.partition("/")
            moment = torch.zeros_like(parameters[name])
            if checkpoint is not None:
                _copy(kept, key, moment)
            optimizer.state[parameters[name]][kind] = moment
            tensors.append(moment)
    strategy.broadcast(tensors)
    return totals


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


def _named(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Trainable parameters by name; tied ones appear once."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _copy(tensors: dict[str, torch.Tensor], name: str, target: torch.Tensor) -> None:
    found = tensors.get(name)
    if found is None or found.shape != target.shape:
        shape = "missing" if found is None else f"{tuple(found.shape)}"
        raise DataError(f"the checkpoint's tensor {name} is {shape}, but the model has {tuple(target.shape)}")
    target.copy_(found)
