"""What a caller may say of a launch, and what of it every attempt and every task shares."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal, TypedDict

from training.errors import TrainingError
from training.launch.delivery import OnEvent, Say
from training.launch.elastic import Elastic
from training.launch.events import print_safely


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
class LaunchOptions:
    """How a launch runs its ranks, whatever function they run.

    Attributes:
        threads_per_rank: CPU threads of a rank; 'auto': cores of its host over the ranks on it.
        stall_seconds: A collective that waits longer than this ends the job.
        interface: Network interface for the collectives; None: loopback on one host, else the one that has
            the host's address.
        ports: First and last port for the driver's connections and the rendezvous; None: any free ones.
        max_restarts: Attempts after the first, each with all ranks anew. The function finds its own way
            back, from its last checkpoint for example.
        elastic: Bounds within which the number of ranks follows the slots; None: always `num_ranks`. Not
            for `launch_local`, which has no slots.
        stream_output: False leaves what ranks print in the executors' logs, except `log_to_driver`.
        description: What the Spark UI shows.
        say: Takes a line of progress or of a rank's output; by default it is printed. It and `on_event` are
            called from one thread, one call at a time; ranks wait while they are behind, and the job ends if
            one of them raises.
        on_event: Takes a rank and an event of it.
        expendable: Ranks whose process may die without ending the others; an exception that they raise, or
            the loss of their Spark task, still ends the job.
        env: Environment variables for the ranks. They count before the `HOROVOD_*` that the driver's own
            environment and `spark.executorEnv` have, which reach the ranks too. What places the ranks, such
            as HOROVOD_RANK, is the launcher's.
        names: What messages call the settings.
    """

    threads_per_rank: int | Literal["auto"] = "auto"
    stall_seconds: int = 60
    interface: str | None = None
    ports: tuple[int, int] | None = None
    max_restarts: int = 0
    elastic: Elastic | None = None
    stream_output: bool = True
    description: str = "training"
    say: Say = field(default_factory=lambda: print_safely)
    on_event: OnEvent | None = None
    expendable: Collection[int] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    names: Names = Names()


class OptionChanges(TypedDict, total=False):
    """The same as keywords of a call, for whoever changes one or two of them."""

    threads_per_rank: int | Literal["auto"]
    stall_seconds: int
    interface: str | None
    ports: tuple[int, int] | None
    max_restarts: int
    elastic: Elastic | None
    stream_output: bool
    description: str
    say: Say
    on_event: OnEvent | None
    expendable: Collection[int]
    env: Mapping[str, str]
    names: Names


def options_of(options: LaunchOptions | None, changes: OptionChanges) -> LaunchOptions:
    """The options of a call: those of its object, or the defaults, with what its keywords change.

    Raises:
        TrainingError: A keyword is no option.
    """
    known = {field.name for field in fields(LaunchOptions)}
    if unknown := sorted(changes.keys() - known):
        raise TrainingError(
            f"{', '.join(unknown)}: no option of a launch; the options are {', '.join(sorted(known))}"
        )
    given = {name: value for name, value in changes.items() if not (name == "env" and value is None)}
    return replace(options or LaunchOptions(), **given)  # type: ignore[arg-type]


@dataclass(frozen=True)
class RankOptions:
    """Settings of the ranks, shipped to every task.

    Attributes:
        threads_per_rank: CPU threads of a rank, or 'auto': cores of its host over the ranks on it.
        stall_seconds: A collective that waits longer than this ends the job.
        interface: Network interface for the collectives; None: loopback on one host, else the one that has
            the host's address.
        ports: First and last port for the driver's connections and the rendezvous; None: any free ones.
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

    @classmethod
    def of(cls, options: LaunchOptions, environment: Mapping[str, str]) -> RankOptions:
        """The part of a launch's options that the ranks need.

        Args:
            options: The options.
            environment: Variables for the ranks: their `env`, and what else reaches the ranks.

        Raises:
            TrainingError: A setting of the ranks is wrong.
        """
        return cls(
            threads_per_rank=options.threads_per_rank,
            stall_seconds=options.stall_seconds,
            interface=options.interface,
            ports=options.ports,
            stream_output=options.stream_output,
            environment=environment,
            names=options.names,
        )
