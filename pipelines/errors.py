"""Errors that end a command: each kind has the exit code that a scheduler sees."""


class RinglakeError(Exception):
    """Anything that ends a command with one clear message.

    Attributes:
        exit_code: Exit code of the process; `ringlake --help` lists all of them.
    """

    exit_code = 1


class InputError(RinglakeError):
    """The input is missing, empty or cannot be used."""

    exit_code = 3


class EnvironmentProblem(RinglakeError):
    """Something the machine or the cluster must provide is missing: a jar, a slot, a writable folder."""

    exit_code = 4


class StageFailedError(RinglakeError):
    """A stage could not be finished; its tables are as they were before."""

    exit_code = 5


class AccountingError(StageFailedError):
    """A stage's rows do not add up: in = out + rejected + quarantined + removed as duplicate."""
