"""Attempts at a job: each failure is told, and the last error lists them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from training.errors import CallbackError, NotEnoughSlotsError, RankFailedError, StageError, TrainingError

Value = TypeVar("Value")

_HISTORY = "all attempts failed:"


def run_with_restarts(
    attempt: Callable[[int], Value],
    count_ranks: Callable[[int], int],
    max_restarts: int,
    say: Callable[[str], None],
    name: str = "train.max_restarts",
) -> Value:
    """Run attempts until one succeeds or none is left.

    What is worth another attempt is the end of a rank or of the stage. Too few slots, a function that cannot
    be pickled or a wrong argument end the job at once, and so does Ctrl-C.

    Args:
        attempt: Runs the job on a number of ranks.
        count_ranks: The number of ranks of the n-th attempt, from 0.
        max_restarts: Attempts after the first.
        say: Takes a line; if it raises a CallbackError, no further attempt is made.
        name: What the caller calls `max_restarts`.

    Raises:
        RankFailedError: A rank failed in the last attempt.
        StageError: Spark could not run the stage in the last attempt.
        NotEnoughSlotsError: There are too few slots for an attempt.
        TrainingError: The number of restarts is negative.
    """
    if max_restarts < 0:
        raise TrainingError(f"{name} must be at least 0, not {max_restarts}")
    history: list[str] = []
    for number in range(max_restarts + 1):
        try:
            num_ranks = count_ranks(number)
        except NotEnoughSlotsError as error:
            told = [_HISTORY, *history] if history else []
            raise NotEnoughSlotsError("\n".join([str(error), *told])) from None
        try:
            return attempt(num_ranks)
        except (RankFailedError, StageError) as error:
            ranks = f"{num_ranks} rank{'' if num_ranks == 1 else 's'}"
            history.append(f"attempt {number + 1} ({ranks}): {_headline(error)}")
            if number == max_restarts == 0:
                raise
            if number == max_restarts:
                raise _noting(error, _HISTORY, *history) from error.__cause__
            try:
                say(f"{history[-1]}; restart {number + 1} of {max_restarts}")
            except CallbackError as broken:
                # The cause is what the rank said, not that nobody hears of it.
                raise _noting(error, f"no attempt follows: {broken}") from error.__cause__
    raise AssertionError("the last attempt returns or raises")


def _headline(error: RankFailedError | StageError) -> str:
    return error.headline if isinstance(error, RankFailedError) else str(error).splitlines()[0]


def _noting(error: RankFailedError | StageError, *lines: str) -> RankFailedError | StageError:
    """The same error with further lines at the end of its message."""
    if isinstance(error, RankFailedError):
        return error.noting(*lines)
    return StageError("\n".join([str(error), *lines]))
