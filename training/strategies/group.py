"""torch.distributed's process group under our launcher, for the strategies that do not use Horovod.

The processes find each other through the rendezvous that the launcher opens anyway, so there is no further
listener: torch's own TCPStore listens on every interface, ours on one. Gloo connects over the interface
that the launcher chose; its sockets carry raw tensors, never pickled objects.
"""

from __future__ import annotations

import contextlib
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from training.errors import PeerLostError, TrainingError
from training.launch.ranks import current_backend, current_rank
from training.launch.stall import StallGuard
from training.strategies.base import Strategy

_SCOPE = "ringlake"
_POLL_SECONDS = 0.02

MEETING_SECONDS = 60.0
"""How long a process waits for the others to come to the rendezvous: they all have torch to import."""

NEVER = timedelta(days=30)
"""Gloo's own timeout; who may wait how long is the strategies' business (StallGuard)."""


class LauncherStore(dist.Store):  # type: ignore[name-defined] # torch exports it without saying so
    """The launcher's rendezvous as torch's key-value store.

    Args:
        location: `address:port` of the rendezvous.
    """

    def __init__(self, location: str) -> None:
        super().__init__()
        self._location = location

    def set(self, key: str, value: bytes | str) -> None:
        """Store a value."""
        content = value.encode() if isinstance(value, str) else bytes(value)
        request = urllib.request.Request(self._url(key), data=content, method="PUT")  # noqa: S310 - always http
        with urllib.request.urlopen(request, timeout=MEETING_SECONDS):  # noqa: S310
            pass

    def get(self, key: str) -> bytes:
        """The value of a key, as soon as it has one."""
        deadline = time.monotonic() + MEETING_SECONDS
        while True:
            found = self._read(key)
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise TrainingError(
                    f"waited more than {MEETING_SECONDS:g} s for the other processes at the rendezvous "
                    f"{self._location} ({key}); look for what holds them up"
                )
            time.sleep(_POLL_SECONDS)

    def check(self, keys: list[str]) -> bool:
        """Whether all keys have a value."""
        return all(self._read(key) is not None for key in keys)

    def wait(self, keys: list[str], timeout: timedelta = NEVER) -> None:
        """Wait until all keys have a value."""
        for key in keys:
            self.get(key)

    def _url(self, key: str) -> str:
        return f"http://{self._location}/{_SCOPE}/{urllib.parse.quote(key, safe='')}"

    def _read(self, key: str) -> bytes | None:
        try:
            with urllib.request.urlopen(self._url(key), timeout=MEETING_SECONDS) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise


def pass_with_nothing(model: Any, device: torch.device) -> None:
    """Forward and backward of a rank without rows, which the sums within backward wait for; it adds zeros."""
    nothing = torch.zeros((1, 2), dtype=torch.int64, device=device)
    (model(input_ids=nothing, use_cache=False).logits.sum() * 0.0).backward()


def join_group() -> tuple[int, int]:
    """Initialise torch.distributed among the processes that the launcher started.

    Returns:
        Number of this process and number of processes.

    Raises:
        TrainingError: No launcher started this process, or the others do not come.
    """
    info = current_rank()
    address = os.environ.get("HOROVOD_GLOO_RENDEZVOUS_ADDR")
    if address is None:
        raise TrainingError("this strategy needs ranks that training.launch started; use strategy single")
    store = LauncherStore(f"{address}:{os.environ['HOROVOD_GLOO_RENDEZVOUS_PORT']}")
    os.environ["GLOO_SOCKET_IFNAME"] = os.environ["HOROVOD_GLOO_IFACE"]
    backend = choose_backend(torch.cuda.is_available(), current_backend())
    with naming_lost_peers("the start of the process group"):
        dist.init_process_group(
            backend, store=store, rank=info.rank, world_size=info.world_size, timeout=NEVER
        )
    return info.rank, info.world_size


def choose_backend(has_gpus: bool, backend: str) -> str:
    """The backends of a process group.

    Args:
        has_gpus: Whether this process sees GPUs.
        backend: `current_backend()`; 'gloo' where ranks share a GPU, which NCCL refuses. torch's Gloo takes
            tensors of a GPU by way of host memory.
    """
    return "cpu:gloo,cuda:nccl" if has_gpus and backend == "nccl" else "gloo"


@contextlib.contextmanager
def naming_lost_peers(what: str, remedy: str = "") -> Iterator[None]:
    """Around communication: an error of the transport becomes a `PeerLostError`.

    Args:
        what: What failed.
        remedy: What to do about it.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, TrainingError) or not _is_transport_error(error):
            raise
        reason = " ".join(str(error).split())
        raise PeerLostError(f"{what} broke off, another process is gone{remedy} ({reason})") from error


def _is_transport_error(error: RuntimeError) -> bool:
    text = str(error).lower()
    return isinstance(error, dist.DistError) or any(word in text for word in ("gloo", "nccl", "connection"))


class GroupStrategy(Strategy):
    """What the strategies of torch's process group share; joins it."""

    def __init__(self) -> None:
        self._guard = StallGuard()
        with self._guard.waiting_for("the start of the process group"):
            self.rank, self.world_size = join_group()

    @property
    def communication_seconds(self) -> float:
        """Time spent with the other ranks, since the start."""
        return self._guard.waited_seconds

    def broadcast(self, tensors: Sequence[torch.Tensor]) -> None:
        """Give every rank rank 0's values, in place."""
        what = "the broadcast of the initial state"
        with self._guard.waiting_for(what), naming_lost_peers(what):
            for tensor in tensors:
                dist.broadcast(tensor.data, src=0)

    def add_numbers(self, numbers: torch.Tensor) -> None:
        """Replace float64 values by their sums over the ranks, in place."""
        with self._guard.waiting_for("the sum of the numbers"), naming_lost_peers("the sum of the numbers"):
            dist.all_reduce(numbers)

    def close(self) -> None:
        """Leave the process group."""
        dist.destroy_process_group()
