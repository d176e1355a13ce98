"""Parameter servers, the worker's side (Li et al., OSDI 2014): push gradients, pull parameters.

The launcher starts `servers` processes beside the ranks, in barrier tasks of their own; they come last. Each
parameter lives on one server, which also runs the optimizer for it (`training.strategies.server`).

sync: the servers add up the gradients of all ranks and update once a step, which is what the ring does.
async: each rank's gradient is an update of its own, made as soon as it arrives. A step of all W ranks shall
move the parameters as far as one step of the ring: each update uses the mean gradient of the rank's own rows
and 1/W of the learning rate. No rank starts a step while it is more than `max_staleness` steps ahead of the
slowest. A rank that dies is not waited for; its rows are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from conf.strategy import ParameterServerConfig
from training.errors import TrainingError
from training.launch.stall import StallGuard
from training.optim import FlatGradients
from training.strategies.base import TARGETS, Strategy
from training.strategies.group import join_group
from training.strategies.sharding import assign_by_size
from training.strategies.wire import NUM_FACTS, Kind, PeerConnection, receive_state, send_state


def join_servers(num_servers: int) -> tuple[int, int]:
    """Initialise communication; all processes call it.

    Returns:
        Number of this process and number of workers.

    Raises:
        TrainingError: No process is left to be a worker.
    """
    number, count = join_group()
    workers = count - num_servers
    if workers < 1:
        raise TrainingError(
            f"train.strategy.parameter_server.servers = {num_servers}, but there are {count} processes in "
            f"all; launch num_ranks + servers processes"
        )
    return number, workers


class ParameterServer(Strategy):
    """A worker: its parameters and its optimizer are on the servers.

    Args:
        config: The parameter_server section.
    """

    def __init__(self, config: ParameterServerConfig) -> None:
        self._config = config
        self._async = config.mode == "async"
        self._guard = StallGuard()
        with self._guard.waiting_for("the start of the parameter servers"):
            self.rank, self.world_size = join_servers(config.servers)
        self._peers = [
            PeerConnection(
                self.world_size + server, f"parameter server {server} (rank {self.world_size + server})"
            )
            for server in range(config.servers)
        ]
        self._facts = torch.zeros(NUM_FACTS, dtype=torch.float64)
        self._num_numbers = 0
        self._num_live = self.world_size
        self._is_idle = False

    @property
    def communication_seconds(self) -> float:
        """Time spent with servers and other workers, since the start."""
        return self._guard.waited_seconds

    @property
    def has_lost_ranks(self) -> bool:
        """Whether the servers serve fewer workers than there were; worker 0 hears of it in their reports."""
        return self._async and self.rank == 0 and self._num_live < self.world_size

    def broadcast(self, tensors: Sequence[torch.Tensor]) -> None:
        """Give every worker worker 0's values, in place."""
        with self._guard.waiting_for("the broadcast of the initial state"):
            for tensor in tensors:
                if self.rank == 0:
                    for worker in range(1, self.world_size):
                        PeerConnection(worker, f"rank {worker}").send(tensor.reshape(-1))
                else:
                    received = PeerConnection(0, "rank 0").receive(
                        torch.empty(tensor.numel(), dtype=tensor.dtype)
                    )
                    tensor.data.copy_(received.view(tensor.shape))

    def start(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Give the servers their parameters and the optimizer's state; from now on those are theirs."""
        self._optimizer = optimizer
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if len(self._peers) > len(parameters):
            raise TrainingError(
                f"train.strategy.parameter_server.servers = {len(self._peers)}, but the model has only "
                f"{len(parameters)} parameter tensors; use fewer servers"
            )
        self._sizes = [parameter.numel() for parameter in parameters]
        self._members = assign_by_size(self._sizes, len(self._peers))
        self._shards = [[parameters[index] for index in group] for group in self._members]
        if self.rank == 0:
            with self._guard.waiting_for("the parameter servers to start"):
                for peer, shard in zip(self._peers, self._shards, strict=True):
                    peer.ask(Kind.SETUP)
                    peer.send_json([[*parameter.shape] for parameter in shard])
                    peer.send(_flat(shard))
                    send_state(peer, shard, optimizer)
        optimizer.state.clear()

    def add_up(self, gradients: torch.Tensor, numbers: torch.Tensor) -> None:
        """Report the numbers; async: make the gradient the mean over this worker's own rows."""
        own = float(numbers[TARGETS])
        self._num_numbers = numbers.numel()
        # In async mode each server keeps its own clock; server 0 keeps the accounts in both.
        peers = self._peers if self._async else self._peers[:1]
        with self._guard.waiting_for("the report of a step to the parameter servers"):
            for peer in peers:
                peer.ask(Kind.REPORT, count=numbers.numel())
                peer.send(numbers)
            answers = [self._receive_report(peer) for peer in peers]
        numbers.copy_(answers[0])
        self.sent_bytes += 2 * len(peers) * self.world_size * numbers.numel() * numbers.element_size()
        if self._async:
            self._is_idle = own == 0
            if not self._is_idle:
                gradients.mul_(float(numbers[TARGETS]) / own)

    def add_numbers(self, numbers: torch.Tensor) -> None:
        """Replace float64 values by their sums over the workers that are there, in place."""
        with self._guard.waiting_for("the sum of the numbers"):
            self._peers[0].ask(Kind.ADD, count=numbers.numel())
            self._peers[0].send(numbers)
            self._peers[0].receive(numbers)

    def clip(self, gradients: FlatGradients, largest: float) -> float:
        """Push the gradient.

        Returns:
            sync: the norm of the sum of all workers' gradients. async: of this worker's own.
        """
        norm = gradients.clip(largest) if self._async else 0.0
        parts = gradients.buffer.split(self._sizes)
        with self._guard.waiting_for("the parameter servers to take the gradients"):
            for peer, group in zip(self._peers, self._members, strict=True):
                peer.ask(Kind.PUSH, largest)
                peer.send(torch.cat([parts[index] for index in group]))
            if not self._async:
                for peer in self._peers:
                    norm = float(peer.receive(torch.empty(1, dtype=torch.float64)))
        self.sent_bytes += self.world_size * gradients.buffer.numel() * gradients.buffer.element_size()
        return norm

    def update(self, optimizer: torch.optim.Optimizer) -> None:
        """Have the servers update with the rate that is set, and pull the parameters."""
        rate = optimizer.param_groups[0]["lr"] / (self.world_size if self._async else 1)
        with self._guard.waiting_for("the parameter servers to update"):
            for peer in self._peers:
                peer.ask(Kind.APPLY, rate, count=int(not self._is_idle))
            self._receive_parameters()

    def pass_over(self) -> None:
        """Async: keep the bound on how far ahead this worker may be, with no update of its own."""
        if self._async:
            with self._guard.waiting_for("the parameter servers to let it go on"):
                for peer in self._peers:
                    peer.ask(Kind.APPLY, count=0)
                self._receive_parameters()

    def settle(self) -> torch.Tensor | None:
        """Wait for all workers and take the same parameters; in sync mode they have them."""
        if not self._async:
            return None
        with self._guard.waiting_for("the other workers at the parameter servers"):
            late = self._meet()
            for peer in self._peers:
                peer.ask(Kind.PULL)
            self._receive_parameters()
            # Nobody pushes before all have pulled.
            self._meet()
        return late

    def collect(self) -> None:
        """Give worker 0's optimizer the servers' state."""
        if self.rank == 0:
            with self._guard.waiting_for("the optimizer's state of the parameter servers"):
                for peer, shard in zip(self._peers, self._shards, strict=True):
                    peer.ask(Kind.STATE)
                    receive_state(peer, shard, self._optimizer)
        if self._async:
            with self._guard.waiting_for("worker 0 to take the servers' state"):
                self._meet()

    def metrics(self) -> dict[str, Any]:
        """Bytes; async: how many updates by others the gradients since the last line had not seen."""
        line = super().metrics()
        if self._async:
            missed, count, most, ahead, ranks = self._facts.tolist()
            line |= {
                "staleness": missed / count if count else 0.0,
                "staleness_max": int(most),
                "updates": int(count),
                "steps_ahead_max": int(ahead),
                "ranks": int(ranks),
            }
            self._facts.zero_()
        return line

    def close(self) -> None:
        """Tell the servers that this worker is done."""
        for peer in self._peers:
            peer.ask(Kind.FINISH)

    def _meet(self) -> torch.Tensor:
        self._peers[0].ask(Kind.MEET, count=self._num_numbers)
        return self._receive_report(self._peers[0])

    def _receive_report(self, peer: PeerConnection) -> torch.Tensor:
        answer = peer.receive(torch.empty(self._num_numbers + NUM_FACTS, dtype=torch.float64))
        parts: tuple[torch.Tensor, torch.Tensor] = answer.split([self._num_numbers, NUM_FACTS])
        numbers, facts = parts
        if peer is self._peers[0]:
            self._facts[:2] += facts[:2]
            self._facts[2:4] = torch.maximum(self._facts[2:4], facts[2:4])
            self._facts[4] = facts[4]
            self._num_live = int(facts[4])
        return numbers

    @torch.no_grad()
    def _receive_parameters(self) -> None:
        for peer, shard in zip(self._peers, self._shards, strict=True):
            sizes = [parameter.numel() for parameter in shard]
            flat = peer.receive(torch.empty(sum(sizes), dtype=shard[0].dtype))
            for parameter, part in zip(shard, flat.split(sizes), strict=True):
                parameter.copy_(part.view_as(parameter))
            self.sent_bytes += self.world_size * flat.numel() * flat.element_size()


def _flat(parameters: Sequence[torch.nn.Parameter]) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in parameters])
