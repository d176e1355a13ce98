"""`launch`: run a function as N Horovod ranks in one barrier stage of a Spark application."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

import cloudpickle  # type: ignore[import-untyped]

from training.errors import TrainingError
from training.launch.barrier import run_barrier
from training.launch.elastic import Elastic
from training.launch.job import Job, OnEvent, Say
from training.launch.local import run_local
from training.launch.options import Options
from training.launch.restarts import run_with_restarts
from training.launch.slots import check_slots, wait_for_slots


def _print(line: str) -> None:
    print(line, flush=True)


def launch(
    train: Callable[..., Any],
    num_ranks: int,
    *,
    spark: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    threads_per_rank: int | Literal["auto"] = "auto",
    stall_seconds: int = 60,
    interface: str | None = None,
    ports: tuple[int, int] | None = None,
    max_restarts: int = 0,
    elastic: Elastic | None = None,
    stream_output: bool = True,
    description: str = "training",
    say: Say = _print,
    on_event: OnEvent | None = None,
    expendable: Collection[int] = (),
) -> list[Any]:
    """Run `train(*args, **kwargs)` in a fresh process for each of `num_ranks` ranks and wait for all.

    Each rank runs inside a barrier task of its own, with the environment that `horovod.torch.init()` wants.
    What a rank prints goes to `say` line by line behind its rank; what it hands to
    `training.launch.emit` goes to `on_event`. When one rank fails the others are ended. Ctrl-C ends all ranks
    and raises KeyboardInterrupt, whichever handler is set for it.

    Args:
        train: The function; it and its arguments are pickled by value where needed (cloudpickle).
        num_ranks: Number of ranks, at least 1; with `elastic`, of the first attempt at most.
        spark: The active SparkSession.
        args: Positional arguments of the function.
        kwargs: Keyword arguments of the function.
        threads_per_rank: CPU threads of a rank; 'auto': cores of its host over the ranks on it.
        stall_seconds: A collective that waits longer than this ends the job.
        interface: Network interface for the collectives; None: loopback on one host, else the one that has
            the host's address.
        ports: First and last port for the driver's line and the rendezvous; None: any free ones.
        max_restarts: Attempts after the first, each with all ranks anew. The function finds its own way
            back, from its last checkpoint for example.
        elastic: Bounds within which the number of ranks follows the slots; None: always `num_ranks`.
        stream_output: False leaves what ranks print in the executors' logs, except `log_to_driver`.
        description: What the Spark UI shows.
        say: Takes a line of progress or of a rank's output.
        on_event: Takes a rank and an event of it.
        expendable: Ranks whose process may die without ending the others; an exception that they raise, or
            the loss of their Spark task, still ends the job.

    Returns:
        What the function returned, by rank; None for an expendable rank that died.

    Raises:
        NotEnoughSlotsError: There are fewer slots than ranks, or than the least of `elastic`.
        RankFailedError: A rank raised or died; the message has rank, host and its traceback, and the
            causes of all attempts if there were several.
        StageError: Spark could not run the stage, and no rank says why.
        TrainingError: The function cannot be pickled, or an option is wrong.

    Example:
        >>> launch(lambda: current_rank().rank, 2, spark=spark)  # doctest: +SKIP
        [0, 1]
    """
    _check_ranks(num_ranks)
    options = Options(threads_per_rank, stall_seconds, interface, ports, stream_output)
    payload = _pickle(train, args, kwargs)

    def count_ranks(attempt: int) -> int:
        if elastic is None:
            check_slots(spark, num_ranks, say)
            return num_ranks
        # After a failure there may be more executors than before as well.
        wanted = min(num_ranks, elastic.max) if attempt == 0 else elastic.max
        return elastic.choose(wait_for_slots(spark, wanted, say), wanted)

    def attempt(count: int) -> dict[int, bytes]:
        text = f"{description}: {count} rank{'s' if count > 1 else ''}"
        job = Job(count, say, on_event, expendable)
        found = run_barrier(spark, payload, count, options, job, text)
        return found | dict.fromkeys(job.lost, _NOTHING)

    return _values(run_with_restarts(attempt, count_ranks, max_restarts, say))


def launch_local(
    train: Callable[..., Any],
    num_ranks: int,
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    threads_per_rank: int | Literal["auto"] = "auto",
    stall_seconds: int = 60,
    interface: str | None = None,
    ports: tuple[int, int] | None = None,
    max_restarts: int = 0,
    stream_output: bool = True,
    say: Say = _print,
    on_event: OnEvent | None = None,
) -> list[Any]:
    """`launch` without Spark: the ranks are processes of this machine.

    Arguments, values and errors are those of `launch`.
    """
    _check_ranks(num_ranks)
    options = Options(threads_per_rank, stall_seconds, interface, ports, stream_output)
    payload = _pickle(train, args, kwargs)

    def attempt(count: int) -> dict[int, bytes]:
        return run_local(payload, count, options, Job(count, say, on_event))

    return _values(run_with_restarts(attempt, lambda _attempt: num_ranks, max_restarts, say))


def _check_ranks(num_ranks: int) -> None:
    if num_ranks < 1:
        raise TrainingError(f"num_ranks must be at least 1, not {num_ranks}")


_NOTHING = cloudpickle.dumps(None)
"""What an expendable rank that died has returned."""


def _values(results: Mapping[int, bytes]) -> list[Any]:
    return [cloudpickle.loads(results[rank]) for rank in range(len(results))]


def _pickle(train: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> bytes:
    try:
        return bytes(cloudpickle.dumps((train, tuple(args), dict(kwargs or {}))))
    except Exception as error:
        raise TrainingError(
            f"the training function or its arguments cannot be pickled: {type(error).__name__}: {error}; "
            f"open files, sockets, locks and Spark objects inside the function instead of passing them"
        ) from error
