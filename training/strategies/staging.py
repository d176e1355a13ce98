"""The way of a tensor to the other ranks and back, through host memory where the wire cannot take it.

NCCL refuses two ranks on one GPU. Ranks that share one (`current_backend()` is `gloo`) hold their tensors
there and still have to reduce them on the CPU: a copy goes out, and what comes back is copied into them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from training.launch.ranks import current_backend


def needs_host(device: torch.device, backend: str) -> bool:
    """Whether a tensor of a device cannot be reduced where it is.

    Args:
        device: Where it is.
        backend: `current_backend()`.
    """
    return device.type != "cpu" and backend == "gloo"


class Exchange:
    """A collective on a tensor that was started and has not been waited for.

    Args:
        tensor: What the result goes into, any shape.
        start: Starts the collective in place on the tensor that it is given; returns a handle.
    """

    def __init__(self, tensor: torch.Tensor, start: Callable[[torch.Tensor], Any]) -> None:
        self._tensor = tensor
        # Copying from a GPU waits for the kernels that write the tensor.
        staged = needs_host(tensor.device, current_backend())
        self._wire = torch.empty_like(tensor, device="cpu").copy_(tensor) if staged else tensor
        self._handle = start(self._wire)

    def finish(self, wait: Callable[[Any], Any]) -> None:
        """Wait for the result and put it in its place.

        Args:
            wait: Waits for a handle.
        """
        wait(self._handle)
        if self._wire is not self._tensor:
            self._tensor.copy_(self._wire)
