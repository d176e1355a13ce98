"""Parameter servers, the server's side: one thread a worker, one optimizer over the server's parameters."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Sequence

import torch

from conf.train import TrainConfig
from training.errors import PeerLostError
from training.launch.events import emit
from training.optim import FlatGradients, make_optimizer
from training.outcome import Served
from training.strategies.meeting import Clocks, Meeting
from training.strategies.parameter_server import join_servers
from training.strategies.wire import NUM_FACTS, Kind, PeerConnection, receive_state, send_state

_NO_FACTS = torch.zeros(NUM_FACTS, dtype=torch.float64)


def run_server(config: TrainConfig) -> Served:
    """Serve until all workers are done or, in async mode, gone.

    Raises:
        PeerLostError: A worker is gone and the others cannot go on without it.
    """
    return _Server(config).run()


class _Server:
    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        section = config.strategy.parameter_server
        self._async = section.mode == "async"
        self._number, self._num_workers = join_servers(section.servers)
        self._num_servers = section.servers
        workers = range(self._num_workers)
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._clocks = Clocks(workers, section.max_staleness)
        self._sums = Meeting(workers, sum_in_order)
        self._meetings = Meeting(workers, self._take_report)
        self._pushes = Meeting(workers, self._join_gradients)
        self._applies = Meeting(workers, self._apply_all)
        self._ends: queue.Queue[tuple[int, Exception | None]] = queue.Queue()
        self._updates = 0
        self._seen = [0] * self._num_workers
        self._live = self._num_workers
        self._numbers: torch.Tensor | None = None
        self._facts = torch.zeros(NUM_FACTS, dtype=torch.float64)
        self._largest_norm = math.inf

    def run(self) -> Served:
        for worker in range(self._num_workers):
            threading.Thread(target=self._serve, args=(worker,), daemon=True).start()
        for _ in range(self._num_workers):
            worker, error = self._ends.get()
            if error is not None:
                # Worker 0 writes the checkpoints and the model: without it nothing of the rest would last.
                if not isinstance(error, PeerLostError) or not self._async or worker == 0:
                    raise error
                if self._number == self._num_workers:
                    text = f"train: rank {worker} is gone; the others go on without it and its sequences"
                    emit({"type": "line", "text": text})
        return Served(self._updates)

    def _serve(self, worker: int) -> None:
        peer = PeerConnection(worker, f"rank {worker}")
        error: Exception | None = None
        try:
            while self._answer(worker, peer, *peer.hear()):
                pass
        except Exception as caught:  # noqa: BLE001 - the main thread decides what it means
            error = caught
        if self._async:
            with self._lock:
                self._live -= 1
            self._clocks.leave(worker)
            for meeting in (self._sums, self._meetings):
                meeting.leave(worker)
        self._ends.put((worker, error))

    def _answer(self, worker: int, peer: PeerConnection, kind: Kind, value: float, count: int) -> bool:
        """Do what a message asks; False after the last one."""
        if kind is Kind.SETUP:
            self._set_up(peer)
            return True
        self._ready.wait()
        if kind is Kind.REPORT:
            numbers = peer.receive(torch.empty(count, dtype=torch.float64))
            peer.send(self._report(worker, numbers))
        elif kind is Kind.PUSH:
            gradient = peer.receive(torch.empty_like(self._gradients.buffer))
            self._pushed[worker] = gradient
            if not self._async:
                self._largest_norm = value
                norm = self._pushes.arrive(worker, gradient)
                peer.send(torch.tensor([norm], dtype=torch.float64))
        elif kind is Kind.APPLY and self._async:
            peer.send(self._apply_one(worker, value, count))
        elif kind is Kind.APPLY:
            peer.send(self._applies.arrive(worker, value))
        elif kind is Kind.ADD:
            peer.send(self._sums.arrive(worker, peer.receive(torch.empty(count, dtype=torch.float64))))
        elif kind is Kind.MEET:
            nothing = torch.zeros(count, dtype=torch.float64)
            peer.send(self._meetings.arrive(worker, nothing))
        elif kind is Kind.PULL:
            with self._lock:
                self._seen[worker] = self._updates
                parameters = self._parameters.clone()
            peer.send(parameters)
        elif kind is Kind.STATE:
            send_state(peer, self._members, self._optimizer)
        return kind is not Kind.FINISH

    def _set_up(self, peer: PeerConnection) -> None:
        shard = torch.nn.Module()
        shapes = peer.receive_json()
        for index, shape in enumerate(shapes):
            shard.register_parameter(f"p{index}", torch.nn.Parameter(torch.empty(shape)))
        self._members = list(shard.parameters())
        sizes = [parameter.numel() for parameter in self._members]
        self._parameters = peer.receive(torch.empty(sum(sizes)))
        for parameter, part in zip(self._members, self._parameters.split(sizes), strict=True):
            parameter.data = part.view_as(parameter)
        self._gradients = FlatGradients(self._members)
        self._optimizer = make_optimizer(shard, self._config)
        receive_state(peer, self._members, self._optimizer)
        self._pushed: dict[int, torch.Tensor] = {}
        self._ready.set()

    def _report(self, worker: int, numbers: torch.Tensor) -> torch.Tensor:
        if not self._async:
            return torch.cat(
                [self._sums.arrive(worker, numbers), torch.zeros(NUM_FACTS, dtype=torch.float64)]
            )
        self._clocks.tick(worker)
        with self._lock:
            self._numbers = numbers.clone() if self._numbers is None else self._numbers + numbers
            if worker == 0:
                answer, self._numbers = torch.cat([self._numbers, self._take_facts()]), None
            else:
                answer = torch.cat([numbers, _NO_FACTS])
        return answer

    def _take_report(self, nothing: Sequence[torch.Tensor]) -> torch.Tensor:
        """What no report has given to worker 0 yet."""
        with self._lock:
            numbers, self._numbers = self._numbers, None
            return torch.cat([nothing[0] if numbers is None else numbers, self._take_facts()])

    def _take_facts(self) -> torch.Tensor:
        facts, self._facts = self._facts, torch.zeros(NUM_FACTS, dtype=torch.float64)
        facts[4] = self._live
        return facts

    def _apply_one(self, worker: int, rate: float, count: int) -> torch.Tensor:
        """An update with one worker's gradient; its parameters as soon as it may start its next step."""
        # A worker that passes a step over has pushed nothing.
        gradient = self._pushed.pop(worker, None)
        with self._lock:
            if count and gradient is not None:
                missed = self._updates - self._seen[worker]
                self._facts[0] += missed
                self._facts[1] += 1
                self._facts[2] = max(float(self._facts[2]), missed)
                self._gradients.buffer.copy_(gradient)
                self._update(rate)
        ahead = self._clocks.wait_for_turn(worker)
        with self._lock:
            self._facts[3] = max(float(self._facts[3]), ahead)
            self._seen[worker] = self._updates
            return self._parameters.clone()

    def _join_gradients(self, gradients: Sequence[torch.Tensor]) -> float:
        """Add up all workers' gradients and clip them by the norm over all servers; returns that norm."""
        self._gradients.buffer.copy_(sum_in_order(gradients))
        square = torch.linalg.vector_norm(self._gradients.buffer, dtype=torch.float64).square()
        norm = self._sum_over_servers(square.view(1)).sqrt().item()
        if self._largest_norm < norm < math.inf:
            self._gradients.buffer.mul_(self._largest_norm / norm)
        return norm

    def _sum_over_servers(self, value: torch.Tensor) -> torch.Tensor:
        """The sum of a value of each server, by way of the first one."""
        first = self._num_workers
        if self._number != first:
            peer = PeerConnection(first, "parameter server 0")
            peer.send(value)
            return peer.receive(torch.empty_like(value))
        others = [
            PeerConnection(first + server, f"parameter server {server}")
            for server in range(1, self._num_servers)
        ]
        total = sum_in_order([value, *(peer.receive(torch.empty_like(value)) for peer in others)])
        for peer in others:
            peer.send(total)
        return total

    def _apply_all(self, rates: Sequence[float]) -> torch.Tensor:
        self._update(rates[0])
        return self._parameters

    def _update(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._updates += 1


def sum_in_order(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """The sum in the order given: equal bits, whoever comes first."""
    total = parts[0].clone()
    for part in parts[1:]:
        total += part
    return total
