"""How the ranks of a launch run: the options that every attempt and every task shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from training.errors import TrainingError


@dataclass(frozen=True)
class Options:
    """Settings of the ranks.

    Attributes:
        threads_per_rank: CPU threads of a rank, or 'auto': cores of its host over the ranks on it.
        stall_seconds: A collective that waits longer than this ends the job.
        interface: Network interface for the collectives; None: loopback on one host, else the one that has
            the host's address.
        ports: First and last port for the driver's line and the rendezvous; None: any free ones.
        stream_output: Whether what ranks print goes to the driver; else it goes to the task's stderr, which
            Spark keeps with the executor's logs.
    """

    threads_per_rank: int | Literal["auto"] = "auto"
    stall_seconds: int = 60
    interface: str | None = None
    ports: tuple[int, int] | None = None
    stream_output: bool = True

    def __post_init__(self) -> None:
        if self.ports is not None and not 1 <= self.ports[0] <= self.ports[1] <= 65535:
            raise TrainingError(
                f"train.ports must be a first and a last port between 1 and 65535, not {self.ports}"
            )
