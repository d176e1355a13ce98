"""torch's DistributedDataParallel (Li et al., VLDB 2020, arXiv 2006.15704) under our launcher.

Its buckets are summed, not averaged, and each rank has divided by the targets of the global batch, so the
result is the ring's. Gloo on CPUs, NCCL on GPUs.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from training.launch.stall import StallGuard
from training.optim import FlatGradients
from training.strategies.base import Strategy, ring_bytes
from training.strategies.group import join_group, naming_lost_peers


class Ddp(Strategy):
    """Sums gradients in DistributedDataParallel's buckets during backward."""

    def __init__(self) -> None:
        self._guard = StallGuard()
        with self._guard.waiting_for("the start of the process group"):
            self.rank, self.world_size = join_group()
        self._complete = False

    def prepare(self, model: Any, gradients: FlatGradients) -> Any:
        """Wrap the model; its gradients stay views of the flat buffer."""
        self._device = gradients.buffer.device
        # Buffers (rotary frequencies) are constants of the model; there is nothing to broadcast.
        self._wrapped = DistributedDataParallel(
            model,
            device_ids=[self._device.index] if self._device.type == "cuda" else None,
            broadcast_buffers=False,
        )
        self._wrapped.register_comm_hook(None, self._sum)
        return self._wrapped

    @contextlib.contextmanager
    def backward(self, *, last: bool) -> Iterator[None]:
        """Around a micro-batch; the last one sums what all of this rank's micro-batches gave."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(naming_lost_peers("the sum of the gradients"))
            if last:
                stack.enter_context(self._guard.waiting_for("the sum of the gradients"))
            else:
                stack.enter_context(self._wrapped.no_sync())
            yield
        self._complete = self._complete or last

    def broadcast(self, tensors: Sequence[torch.Tensor]) -> None:
        """Give every rank rank 0's values, in place."""
        what = "the broadcast of the initial state"
        with self._guard.waiting_for(what), naming_lost_peers(what):
            for tensor in tensors:
                dist.broadcast(tensor.data, src=0)

    def add_up(self, gradients: torch.Tensor, numbers: torch.Tensor) -> None:
        """Sum the numbers; the gradients are summed already, except on a rank that had no rows."""
        if not self._complete:
            # Every rank must take part in the sum; this one adds nothing to it.
            with self.backward(last=True):
                nothing = torch.zeros((1, 2), dtype=torch.int64, device=self._device)
                (self._wrapped(input_ids=nothing, use_cache=False).logits.sum() * 0.0).backward()
        self._complete = False
        self.add_numbers(numbers)
        self.sent_bytes += ring_bytes(numbers, self.world_size)

    def add_numbers(self, numbers: torch.Tensor) -> None:
        """Replace float64 values by their sums over the ranks, in place."""
        with self._guard.waiting_for("the sum of the numbers"), naming_lost_peers("the sum of the numbers"):
            dist.all_reduce(numbers)

    def close(self) -> None:
        """Leave the process group."""
        dist.destroy_process_group()

    def _sum(self, _state: None, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
        buffer = bucket.buffer()
        self.sent_bytes += ring_bytes(buffer, self.world_size)
        work = dist.all_reduce(buffer, async_op=True)
        return work.get_future().then(lambda future: future.value()[0])
