"""How the ranks of a launch run: the options that every attempt and every task shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from training.errors import TrainingError


@dataclass(frozen=True)
class Names:
    """What a caller calls the settings, for messages.

    Attributes:
        num_ranks: The number of ranks.
        prefix: Before the names of the others.
    """

    num_ranks: str = "train.num_ranks"
    prefix: str = "train."


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
        environment: Variables for the ranks, the user's; see `training.launch.variables`.
        names: What the caller calls the settings.
    """

    threads_per_rank: int | Literal["auto"] = "auto"
    stall_seconds: int = 60
    interface: str | None = None
    ports: tuple[int, int] | None = None
    stream_output: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    names: Names = Names()

    def __post_init__(self) -> None:
        threads = self.threads_per_rank
        if threads != "auto" and threads < 1:
            raise TrainingError(
                f"{self.names.prefix}threads_per_rank must be 'auto' or at least 1, not {threads}"
            )
        if self.ports is not None and not 1 <= self.ports[0] <= self.ports[1] <= 65535:
            raise TrainingError(
                f"{self.names.prefix}ports must be a first and a last port between 1 and 65535, "
                f"not {self.ports}"
            )
