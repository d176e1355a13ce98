"""Errors that end a command: each kind has the exit code that a scheduler sees."""


class RinglakeError(Exception):
    """Anything that ends a command with one clear message.

    Attributes:
        exit_code: Exit code of the process; `ringlake --help` lists all of them.
    """

    exit_code = 1

    def __init__(self, *args: object) -> None:
        # Only here: packing an environment needs none of conf's packages.
        from conf.urls import without_secrets

        # Messages quote what users gave, and are stored and shown: URLs in them lose their secrets.
        super().__init__(*(without_secrets(arg) if isinstance(arg, str) else arg for arg in args))


class InputError(RinglakeError):
    """The input is missing, empty or cannot be used."""

    exit_code = 3


class EnvironmentProblem(RinglakeError):
    """Something the machine or the cluster must provide is missing: a jar, a slot, a writable folder."""

    exit_code = 4


class DocumentsLostError(RinglakeError):
    """Ingest kept nothing, or lost more records than it may; the tables that show why are written."""

    exit_code = 6


class StageFailedError(RinglakeError):
    """A stage could not be finished for a reason that may pass; its tables are as they were before."""

    exit_code = 5


class PermanentFailureError(StageFailedError):
    """A stage failed on its data or settings and would fail again; its tables are as they were before."""

    exit_code = 7


class AccountingError(PermanentFailureError):
    """A stage's rows do not add up: in = out + rejected + quarantined + removed as duplicate."""


class VerificationError(RinglakeError):
    """What a training left is not what its plan, tables and checkpoints say."""

    exit_code = 7
