"""What a task of the job runs: the command of a stage. Its exit code says whether another attempt helps.

Databricks tries a task that failed again, whatever the reason. So a failure that would come again leaves a
mark in the volume, named after the run of the job, its repairs and the task; the next attempt finds the mark
and ends in a second. A run that was repaired by hand has marks of its own, and works again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ringlake.base.outcomes import Outcome, outcome_of


class TaskFailedError(Exception):
    """A stage failed; its own message is in the output above.

    Attributes:
        exit_code: Exit code of the command.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def carry_out(mark: Path, words: Sequence[str], command: Callable[[list[str]], int]) -> None:
    """Runs a stage, unless an earlier attempt has shown that it would fail again.

    Args:
        mark: File that such a failure leaves.
        words: Command line of ringlake.
        command: Runs a command line of ringlake and gives its exit code.

    Raises:
        TaskFailedError: It failed, or had failed for good before.
    """
    if mark.is_file():
        earlier = json.loads(mark.read_text(encoding="utf-8"))
        code = int(earlier["exit_code"])
        raise TaskFailedError(
            f"an earlier attempt ended with exit code {code}, which would come again: see its output; when "
            "the cause is gone, repair the run",
            code,
        )
    code = command(list(words))
    outcome = outcome_of(code)
    if outcome is Outcome.DONE:
        # No call of sys.exit: Databricks takes SystemExit for a failure, whatever its code.
        return
    if outcome is Outcome.RETRY:
        raise TaskFailedError(f"exit code {code}: another attempt may help, and goes on from here", code)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(json.dumps({"exit_code": code, "words": list(words)}), encoding="utf-8")
    raise TaskFailedError(
        f"exit code {code}: another attempt would fail as well, so that none does anything; when the cause "
        "is gone, repair the run",
        code,
    )


def main() -> None:
    """Runs the stage of this process's arguments: the mark's path, then the command line.

    Raises:
        TaskFailedError: See `carry_out`.
    """
    from pyspark.sql import SparkSession

    from pipelines.cli.main import run

    # The cluster's own session, which is not yet the active one where the program has not asked for it.
    SparkSession.builder.getOrCreate()
    carry_out(Path(sys.argv[1]), sys.argv[2:], run)
