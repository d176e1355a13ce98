"""What a worker and a parameter server say to each other: a header of numbers, then raw tensors.

Nothing is pickled. A message to the server starts with a header; what follows it, and what comes back, is
fixed by its kind, so both sides know every size before they read. Over Gloo's pairwise connections messages
arrive in order, and a process that dies ends its connections at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import torch
import torch.distributed as dist

from training.errors import TrainingError
from training.strategies.group import naming_lost_peers

NUM_FACTS = 5
"""Facts of asynchronous updates since the last report to worker 0: sum of the updates that gradients missed,
number of gradients, the most that one missed, the most steps that a worker was ahead, workers still there."""

_REMEDY = "; the same command goes on from the last checkpoint"

_HEADER_SIZE = 3

_MAX_JSON_BYTES = 64 << 20
"""Longest description of a shard: names and shapes of its tensors."""


class Kind(IntEnum):
    """What a worker asks of a server; `->` is what comes back."""

    SETUP = 0
    """Shapes, parameters and optimizer state of the shard; from worker 0. -> nothing"""
    REPORT = 1
    """The numbers of a step. -> those that count for this worker's peer of the log, then `NUM_FACTS` facts"""
    PUSH = 2
    """A gradient; in the header the largest norm. -> sync: the norm of all gradients' sum"""
    APPLY = 3
    """Update with what was pushed; in the header the rate, and a count of 0 to leave it out. -> parameters"""
    ADD = 4
    """Numbers. -> their sum over the workers that are there"""
    MEET = 5
    """Wait until all workers that are there have come. -> as REPORT, for what no REPORT has given out"""
    PULL = 6
    """-> the parameters"""
    STATE = 7
    """-> the optimizer's state"""
    FINISH = 8
    """The worker is done. -> nothing"""


class PeerConnection:
    """One end of the connection between a worker and a server.

    Args:
        peer: Number of the other process.
        name: What messages call it.
    """

    def __init__(self, peer: int, name: str) -> None:
        self._peer, self._name = peer, name

    def send(self, tensor: torch.Tensor) -> None:
        """Send a tensor whose shape and type the other side knows; an empty one is not sent."""
        if tensor.numel():
            with naming_lost_peers(f"sending to {self._name}", _REMEDY):
                dist.send(tensor.detach().cpu().contiguous(), dst=self._peer)

    def receive(self, tensor: torch.Tensor) -> torch.Tensor:
        """Fill a tensor in host memory; returns it."""
        if tensor.numel():
            with naming_lost_peers(f"waiting for {self._name}", _REMEDY):
                dist.recv(tensor, src=self._peer)
        return tensor

    def ask(self, kind: Kind, value: float = 0.0, count: int = 0) -> None:
        """Start a message to the server."""
        self.send(torch.tensor([float(kind), value, float(count)], dtype=torch.float64))

    def hear(self) -> tuple[Kind, float, int]:
        """The next message of the worker: its kind, a value and a count."""
        kind, value, count = self.receive(torch.empty(_HEADER_SIZE, dtype=torch.float64)).tolist()
        return Kind(int(kind)), value, int(count)

    def send_json(self, value: Any) -> None:
        """Send JSON values."""
        content = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        self.send(torch.tensor([content.numel()], dtype=torch.int64))
        self.send(content)

    def receive_json(self) -> Any:
        """JSON values."""
        size = int(self.receive(torch.empty(1, dtype=torch.int64)))
        if not 0 < size <= _MAX_JSON_BYTES:
            raise TrainingError(f"{self._name} announced {size} bytes of JSON; at most {_MAX_JSON_BYTES} are")
        return json.loads(bytes(self.receive(torch.empty(size, dtype=torch.uint8)).tolist()))


def send_state(
    peer: PeerConnection, parameters: Sequence[torch.nn.Parameter], optimizer: torch.optim.Optimizer
) -> None:
    """Send what an optimizer remembers of some parameters."""
    found = [
        (index, kind, value)
        for index, parameter in enumerate(parameters)
        for kind, value in optimizer.state[parameter].items()
        if isinstance(value, torch.Tensor)
    ]
    peer.send_json([[index, kind, [*value.shape], _name_of(value.dtype)] for index, kind, value in found])
    for _, _, value in found:
        peer.send(value.reshape(-1))


def receive_state(
    peer: PeerConnection, parameters: Sequence[torch.nn.Parameter], optimizer: torch.optim.Optimizer
) -> None:
    """Replace what an optimizer remembers of some parameters."""
    for parameter in parameters:
        optimizer.state[parameter] = {}
    for index, kind, shape, dtype in peer.receive_json():
        value = torch.empty(shape, dtype=_DTYPES[dtype])
        peer.receive(value.view(-1))
        parameter = parameters[index]
        # As torch's optimizers keep them: counts of steps in host memory, all else beside the parameter.
        optimizer.state[parameter][kind] = value if kind == "step" else value.to(parameter.device)


_DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
