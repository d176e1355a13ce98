"""Starts the sum of a bucket of gradients as soon as backward has finished it (Li et al., arXiv 2006.15704).

Buckets are consecutive parts of the flat gradient buffer. Backward finishes the last layers first, so their
buckets are on the wire while it works on the others. Which bucket an element is in changes nothing in its
sum, except for the order in which the ring adds the ranks' values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch


def cut_buckets(sizes: Sequence[int], largest: int) -> list[list[int]]:
    """Consecutive parameters of at most `largest` elements together; a larger one is alone.

    Args:
        sizes: Elements of each parameter, in order of the buffer.
        largest: Elements of a bucket.

    Returns:
        Indices of the parameters of each bucket.
    """
    buckets: list[list[int]] = []
    filled = 0
    for index, size in enumerate(sizes):
        if not buckets or filled + size > largest:
            buckets.append([])
            filled = 0
        buckets[-1].append(index)
        filled += size
    return buckets


class Buckets:
    """Watches the gradients of a model during the last micro-batch of a step.

    Args:
        parameters: Trainable parameters in the order of the buffer.
        buffer: The flat gradient buffer.
        bucket_bytes: Size of a bucket.
        send: Starts the sum of a bucket: takes its part of the buffer and its number, returns a handle.
    """

    def __init__(
        self,
        parameters: Sequence[torch.nn.Parameter],
        buffer: torch.Tensor,
        bucket_bytes: int,
        send: Callable[[torch.Tensor, int], Any],
    ) -> None:
        sizes = [parameter.numel() for parameter in parameters]
        members = cut_buckets(sizes, max(1, bucket_bytes // buffer.element_size()))
        self._parts: list[torch.Tensor] = []
        self._send = send
        self._armed = False
        self._handles: dict[int, Any] = {}
        self._counts = [len(group) for group in members]
        self._waiting = list(self._counts)
        offset = 0
        for number, group in enumerate(members):
            end = offset + sum(sizes[index] for index in group)
            self._parts.append(buffer[offset:end])
            offset = end
            for index in group:
                parameters[index].register_post_accumulate_grad_hook(self._noting(number))

    def _noting(self, number: int) -> Callable[[torch.Tensor], None]:
        def note(_parameter: torch.Tensor) -> None:
            if not self._armed:
                return
            self._waiting[number] -= 1
            if self._waiting[number] == 0:
                self._handles[number] = self._send(self._parts[number], number)

        return note

    def arm(self) -> None:
        """From now on a gradient is final when backward has added to it."""
        self._waiting = list(self._counts)
        self._armed = True

    def finish(self) -> list[Any]:
        """Send what backward has not touched (a rank without rows has no backward); returns all handles."""
        self._armed = False
        for number in reversed(range(len(self._parts))):
            if number not in self._handles:
                self._handles[number] = self._send(self._parts[number], number)
        handles, self._handles = list(self._handles.values()), {}
        return handles
