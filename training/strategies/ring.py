"""Ring all-reduce through Horovod (Sergeev and Del Balso, arXiv 1802.05799).

Gradients are summed, not averaged: each rank's loss is already divided by the number of targets of the
GLOBAL batch, so the sum is the gradient that one rank would compute on all of it, also with padding or
when ranks hold different numbers of rows.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import horovod.torch as hvd
import torch

from conf.strategy import RingConfig
from training.launch.stall import StallGuard
from training.optim import FlatGradients
from training.strategies.base import Strategy, ring_bytes
from training.strategies.overlap import Buckets
from training.strategies.staging import Exchange

FP16_LIMIT = 32768.0
"""Sums of float16 gradients stay below this: half of the largest float16, for what rounding adds."""

_MIB = 1 << 20


class Ring(Strategy):
    """All-reduce over the ranks that the launcher started; initialises Horovod."""

    def __init__(self, config: RingConfig | None = None) -> None:
        self._config = config or RingConfig()
        # Horovod reads these once, in init.
        if self._config.fusion_mib is not None:
            os.environ["HOROVOD_FUSION_THRESHOLD"] = str(self._config.fusion_mib * _MIB)
        if self._config.cycle_ms is not None:
            os.environ["HOROVOD_CYCLE_TIME"] = str(self._config.cycle_ms)
        self._guard = StallGuard()
        with self._guard.waiting_for("the start of the ring"):
            hvd.init()
        self.rank = int(hvd.rank())
        self.world_size = int(hvd.size())
        self._buckets: Buckets | None = None

    @property
    def communication_seconds(self) -> float:
        """Time spent with the other ranks, since the start."""
        return self._guard.waited_seconds

    def prepare(self, model: Any, gradients: FlatGradients) -> Any:
        """Watch the gradients if their sums shall start during backward."""
        if self._config.overlap:
            parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
            size = int(self._config.bucket_mib * _MIB)
            self._buckets = Buckets(parameters, gradients.buffer, size, self._start_bucket)
        return model

    @contextlib.contextmanager
    def backward(self, *, last: bool) -> Iterator[None]:
        """Around a micro-batch; after the last one the gradients of this rank are complete."""
        if last and self._buckets:
            self._buckets.arm()
        yield

    def broadcast(self, tensors: Sequence[torch.Tensor], root: int = 0) -> None:
        """Give every rank one rank's values, in place."""
        exchanges = [
            Exchange(tensor.data, partial(hvd.broadcast_async_, root_rank=root, name=f"broadcast.{index}"))
            for index, tensor in enumerate(tensors)
        ]
        self._finish(exchanges, "the broadcast of the initial state")

    def add_up(self, gradients: torch.Tensor, numbers: torch.Tensor) -> None:
        """Replace gradients and numbers by their sums over the ranks, in place; equal bits on every rank."""
        if self._config.compression == "fp16":
            self._add_up_halves(gradients, numbers)
            return
        exchanges = [_sum(numbers, "numbers")]
        if self._buckets:
            exchanges += self._buckets.finish()
        else:
            exchanges.append(_sum(gradients, "gradients"))
        self._finish(exchanges, "the sum of the gradients")
        self.sent_bytes += ring_bytes(gradients, self.world_size) + ring_bytes(numbers, self.world_size)

    def add_numbers(self, numbers: torch.Tensor) -> None:
        """Replace float64 values by their sums over the ranks, in place."""
        self._finish([_sum(numbers, "scores")], "the sum of the scores")

    def add(self, tensor: torch.Tensor, what: str) -> None:
        """Replace a tensor by its sum over the ranks, in place.

        Args:
            tensor: Any shape, the same on all ranks.
            what: Its name, the same on all ranks.
        """
        self._finish([_sum(tensor, what)], f"the sum of the {what}")
        self.sent_bytes += ring_bytes(tensor, self.world_size)

    def _start_bucket(self, part: torch.Tensor, number: int) -> Exchange:
        return _sum(part, f"gradients.{number}")

    def _add_up_halves(self, gradients: torch.Tensor, numbers: torch.Tensor) -> None:
        """The same with float16 on the wire.

        Token-normalised gradients are often below 6e-8, the least that float16 can hold. So they are scaled
        by a power of two, which is exact. The sum of the ranks' largest elements, which costs one more
        number, bounds every element of every partial sum: nothing can overflow.
        """
        more = torch.cat([numbers, gradients.abs().max().to(numbers).view(1)])
        self._finish([_sum(more, "numbers")], "the sum of the numbers")
        numbers.copy_(more[:-1])
        bound = float(more[-1])
        usable = math.isfinite(bound) and bound > 0
        # Limits of the exponent keep the scale itself and its product a normal float32.
        exponent = max(-100, min(100, math.floor(math.log2(FP16_LIMIT / bound)))) if usable else 0
        halves = (gradients * 2.0**exponent).half()
        self._finish([_sum(halves, "gradients")], "the sum of the gradients")
        gradients.copy_(halves).mul_(2.0**-exponent)
        self.sent_bytes += ring_bytes(halves, self.world_size) + ring_bytes(more, self.world_size)

    def _finish(self, exchanges: Sequence[Exchange], what: str) -> None:
        with self._guard.waiting_for(what):
            for exchange in exchanges:
                exchange.finish(hvd.synchronize)


def _sum(tensor: torch.Tensor, name: str) -> Exchange:
    """Start the sum of a tensor over the ranks, in place."""
    return Exchange(tensor, partial(hvd.allreduce_async_, op=hvd.Sum, name=name))
