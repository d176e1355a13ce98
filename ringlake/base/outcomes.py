"""What an exit code of ringlake means to a scheduler: done, try again, give up or skip."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

RETRY_EXIT_CODES = frozenset({4, 5, 130})
"""Exit codes after which another attempt may help, as `ringlake --help` has them: 4, the machine or the
cluster lacks something (another run holds the lake); 5, a reason that may pass; 130, interrupted."""

_SIGNALLED = 128
"""A shell gives the exit code 128 + N for a program that signal N has ended; `spark-submit` is a shell's."""


class Outcome(Enum):
    """What becomes of a task."""

    DONE = "done"
    RETRY = "retry"
    FAIL = "fail"
    SKIP = "skip"


def outcome_of(
    exit_code: int,
    *,
    retry: Collection[int] = RETRY_EXIT_CODES,
    skip: Collection[int] = (),
) -> Outcome:
    """What becomes of a task whose command has ended.

    A program that a signal ended is tried again: somebody killed it, or the machine had too little memory.
    All else that is not named fails for good, since ringlake says that it would come again.

    Args:
        exit_code: The exit code; negative for a signal, as `subprocess` has it.
        retry: Exit codes that are tried again.
        skip: Exit codes that leave the task out, for example {3} where a day may have no input.
    """
    if exit_code == 0:
        return Outcome.DONE
    if exit_code in skip:
        return Outcome.SKIP
    if exit_code in retry or exit_code < 0 or exit_code > _SIGNALLED:
        return Outcome.RETRY
    return Outcome.FAIL
