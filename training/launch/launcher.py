"""`launch`: run a function as N Horovod ranks in one barrier stage of a Spark application."""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

import cloudpickle  # type: ignore[import-untyped]

from training.errors import RankFailedError, StageError, TrainingError, WorkerPythonError
from training.failures import RankFailure, summarize
from training.launch.barrier import run_barrier
from training.launch.delivery import checked
from training.launch.job import Job
from training.launch.local import run_local
from training.launch.options import LaunchOptions, Names, OptionChanges, RankOptions, options_of
from training.launch.pythons import find_unfit_python
from training.launch.restarts import run_with_restarts
from training.launch.slots import check_slots, wait_for_slots
from training.launch.spark_job import first_lines
from training.launch.variables import check_variables, executor_variables, horovod_variables


def launch(
    train: Callable[..., Any],
    num_ranks: int,
    *,
    spark: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    options: LaunchOptions | None = None,
    **changes: Unpack[OptionChanges],
) -> list[Any]:
    """Run `train(*args, **kwargs)` in a fresh process for each of `num_ranks` ranks and wait for all.

    Each rank runs inside a barrier task of its own, with the environment that `horovod.torch.init()` wants.
    What a rank prints goes to `options.say` line by line behind its rank; what it hands to
    `training.launch.emit` goes to `options.on_event`. When one rank fails the others are ended. Ctrl-C ends
    all ranks and raises KeyboardInterrupt, whichever handler is set for it.

    Args:
        train: The function; it and its arguments are pickled by value where needed (cloudpickle).
        num_ranks: Number of ranks, at least 1; with `elastic`, of the first attempt at most.
        spark: The active SparkSession.
        args: Positional arguments of the function.
        kwargs: Keyword arguments of the function.
        options: How the ranks run; None: the defaults of `LaunchOptions`.
        changes: Single options as keywords, such as `env={"NCCL_DEBUG": "INFO"}`; they come before `options`.

    Returns:
        What the function returned, by rank; None for an expendable rank that died.

    Raises:
        NotEnoughSlotsError: There are fewer slots than ranks, or than the least of `elastic`.
        RankFailedError: A rank raised or died, or its value cannot be unpickled here; the message has rank,
            host and its traceback, and the causes of all attempts if there were several.
        StageError: Spark could not run the stage, and no rank says why.
        WorkerPythonError: The tasks run another Python than the driver, or one without ringlake.
        CallbackError: `say` or `on_event` raised.
        TrainingError: The function cannot be pickled, or an option is wrong.

    Example:
        >>> launch(lambda: current_rank().rank, 2, spark=spark)  # doctest: +SKIP
        [0, 1]
    """
    options = options_of(options, changes)
    names, elastic = options.names, options.elastic
    _check_ranks(num_ranks, names)
    tell = checked(options.say)
    given = horovod_variables(os.environ, tell) | executor_variables(spark.sparkContext.getConf(), tell)
    of_ranks = RankOptions.of(options, given | check_variables(options.env))
    payload = _pickle(train, args, kwargs)
    hosts: dict[int, str] = {}

    def count_ranks(attempt: int) -> int:
        if elastic is None:
            check_slots(spark, num_ranks, tell, names.num_ranks)
            return num_ranks
        # After a failure there may be more executors than before as well.
        wanted = min(num_ranks, elastic.max) if attempt == 0 else elastic.max
        return elastic.choose(wait_for_slots(spark, wanted, tell), wanted, f"{names.prefix}elastic")

    def attempt(count: int) -> dict[int, bytes]:
        text = f"{options.description}: {count} rank{'s' if count > 1 else ''}"
        _check_python(spark, count)
        job = Job(count, options.say, options.on_event, options.expendable)
        found = run_barrier(spark, payload, count, of_ranks, job, text)
        hosts.update({rank: job.host_of(rank) for rank in found})
        return found | dict.fromkeys(job.lost, _NOTHING)

    name = f"{names.prefix}max_restarts"
    return _values(run_with_restarts(attempt, count_ranks, options.max_restarts, tell, name), hosts)


def launch_local(
    train: Callable[..., Any],
    num_ranks: int,
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    options: LaunchOptions | None = None,
    **changes: Unpack[OptionChanges],
) -> list[Any]:
    """`launch` without Spark: the ranks are processes of this machine.

    Arguments, values and errors are those of `launch`; `elastic` is refused: there are no slots to follow.
    """
    options = options_of(options, changes)
    _check_ranks(num_ranks, options.names)
    if options.elastic is not None:
        raise TrainingError(
            f"{options.names.prefix}elastic = {options.elastic.min} to {options.elastic.max} ranks follows "
            f"Spark's slots, and there are none without Spark; leave it out, or use launch"
        )
    tell = checked(options.say)
    of_ranks = RankOptions.of(options, horovod_variables(os.environ, tell) | check_variables(options.env))
    payload = _pickle(train, args, kwargs)

    def attempt(count: int) -> dict[int, bytes]:
        job = Job(count, options.say, options.on_event, options.expendable)
        return run_local(payload, count, of_ranks, job) | dict.fromkeys(job.lost, _NOTHING)

    hosts = dict.fromkeys(range(num_ranks), socket.gethostname())
    name = f"{options.names.prefix}max_restarts"
    return _values(
        run_with_restarts(attempt, lambda _attempt: num_ranks, options.max_restarts, tell, name), hosts
    )


def _check_python(spark: Any, num_ranks: int) -> None:
    try:
        complaint = find_unfit_python(spark, num_ranks, barrier=True)
    except Exception as error:
        raise StageError(f"Spark could not run the barrier stage: {first_lines(error)}") from error
    if complaint is not None:
        raise WorkerPythonError(complaint)


def _check_ranks(num_ranks: int, names: Names) -> None:
    if num_ranks < 1:
        raise TrainingError(f"{names.num_ranks} must be at least 1, not {num_ranks}")


_NOTHING = cloudpickle.dumps(None)
"""What an expendable rank that died has returned."""


def _values(results: Mapping[int, bytes], hosts: Mapping[int, str]) -> list[Any]:
    return [_value(results[rank], rank, len(results), hosts) for rank in range(len(results))]


def _value(content: bytes, rank: int, num_ranks: int, hosts: Mapping[int, str]) -> Any:
    try:
        return cloudpickle.loads(content)
    except Exception as error:
        failure = RankFailure(
            rank,
            hosts.get(rank, "unknown"),
            "exception",
            f"the value that it returned cannot be unpickled on the driver: {summarize(error)}; return plain "
            f"values, or save it to a file and return its path",
            traceback.format_exc(),
        )
        raise RankFailedError([failure], num_ranks) from error


def _pickle(train: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> bytes:
    try:
        return bytes(cloudpickle.dumps((train, tuple(args), dict(kwargs or {}))))
    except Exception as error:
        raise TrainingError(
            f"the training function or its arguments cannot be pickled: {summarize(error)}; "
            f"open files, sockets, locks and Spark objects inside the function instead of passing them"
        ) from error
