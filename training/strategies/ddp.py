"""torch's DistributedDataParallel (Li et al., VLDB 2020, arXiv 2006.15704) under our launcher.

Its buckets are summed, not averaged, and each rank has divided by the targets of the global batch, so the
result is the ring's. Gloo on CPUs, NCCL on GPUs.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from training.optim import FlatGradients
from training.strategies.base import ring_bytes
from training.strategies.group import GroupStrategy, naming_lost_peers, pass_with_nothing


class Ddp(GroupStrategy):
    """Sums gradients in DistributedDataParallel's buckets during backward."""

    def __init__(self) -> None:
        super().__init__()
        self._complete = False
        self._last_bucket_at = 0.0
        self._exposed_seconds = 0.0

    @property
    def communication_seconds(self) -> float:
        """Time spent with the other ranks, since the start: within backward, what follows the last gradient.

        On a GPU backward only starts kernels and sums, so there the wait for the sums counts as computing.
        """
        return super().communication_seconds + self._exposed_seconds

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
                stack.enter_context(self._guard.watching("the sum of the gradients"))
            else:
                stack.enter_context(self._wrapped.no_sync())
            yield
        if last:
            # Its last bucket was full when this rank had all its gradients; then it waited for the sums.
            self._exposed_seconds += time.perf_counter() - self._last_bucket_at
        self._complete = self._complete or last

    def add_up(self, gradients: torch.Tensor, numbers: torch.Tensor) -> None:
        """Sum the numbers; the gradients are summed already, except on a rank that had no rows."""
        if not self._complete:
            # Every rank must take part in the sum; this one adds nothing to it.
            with self.backward(last=True):
                pass_with_nothing(self._wrapped, self._device)
        self._complete = False
        self.add_numbers(numbers)
        self.sent_bytes += ring_bytes(numbers, self.world_size)

    # torch asks for exactly these types of a hook.
    def _sum(
        self,
        _state: None,
        bucket: dist.GradBucket,  # type: ignore[name-defined]
    ) -> torch.futures.Future[torch.Tensor]:
        self._last_bucket_at = time.perf_counter()
        buffer = bucket.buffer()
        self.sent_bytes += ring_bytes(buffer, self.world_size)
        work = dist.all_reduce(buffer, async_op=True)
        done: torch.futures.Future[torch.Tensor] = work.get_future().then(lambda future: future.value()[0])
        return done
