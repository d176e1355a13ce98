"""Says in one paragraph why a stage failed, from Python, Spark and Java errors alike."""

from __future__ import annotations

import re

from conf.urls import without_secrets
from pipelines.errors import (
    AccountingError,
    DocumentsLostError,
    EnvironmentProblem,
    InputError,
    PermanentFailureError,
    RinglakeError,
    StageFailedError,
)
from pipelines.run.shortage import SparkFacts, shortage
from ringlake.base.extensions import ExtensionError
from training.errors import DataError, NotEnoughSlotsError, RankFailedError, TrainingError, WorkerPythonError

MAX_CHARS = 2000

_PYTHON_ERROR = re.compile(r"^(?:[\w.]+\.)?\w*(?:Error|Exception|Problem|Interrupt)\b.*", re.MULTILINE)
_PASSES = re.compile(
    r"ExecutorLost|executor lost|was ended by SIG|ConnectionRefused|ConnectionReset|Connection refused"
    r"|Connection reset|Broken pipe|BrokenPipe|timed out|Timeout|TimedOut|temporarily unavailable"
    r"|stalled|stands still|stood still|\blost\b|went away|\bgone\b|not heard from|FetchFailed"
    r"|Py4JNetworkError|Answer from Java side is empty|HorovodInternalError|PeerLostError"
    r"|SafeModeException|SlowDown|ServiceUnavailable|Name or service not known"
    r"|Failed to complete file|current lease holder|NotReplicatedYet|could only be (?:written|replicated)"
    r"|ConcurrentAppend|ConcurrentModification|CommitFailed|cancelled"
)
"""Words of failures that may be gone the next time: lost processes and connections, services not ready."""

_LACKS_EXTENSION = re.compile(r"^ringlake\.base\.extensions\.ExtensionError: ", re.MULTILINE)
"""A Python worker of Spark without a package that the driver has."""

_CAUSE = re.compile(r"^Caused by: (.*)$", re.MULTILINE)


def explain(error: BaseException) -> str:
    """The message of an error without its traceback: the deepest cause that names something.

    It is stored and shown, so URLs in it lose their secrets.
    """
    text = without_secrets(_text(error))
    kind = type(error).__name__
    if "Traceback (most recent call last)" in text:
        # A Python worker failed: what it raised is the last line of its own traceback.
        worker = text.rsplit("Traceback (most recent call last)", 1)[1]
        matches = _PYTHON_ERROR.findall(worker)
        if matches:
            return str(matches[0])[:MAX_CHARS].strip()
    causes = _CAUSE.findall(text)
    if causes:
        return str(causes[-1])[:MAX_CHARS].strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    message = lines[0] if lines else ""
    return f"{kind}: {message}"[:MAX_CHARS] if message else kind


def as_ringlake_error(
    stage: str, error: BaseException, spark: SparkFacts | None = None, jvm_status: int | None = None
) -> RinglakeError:
    """The error as one of ours, whose kind decides the exit code.

    Args:
        stage: Name of the stage.
        error: What it failed with.
        spark: What is known of the session, if there was one.
        jvm_status: Exit status of the driver's JVM, None while it lives.
    """
    if isinstance(error, (InputError, EnvironmentProblem, AccountingError, DocumentsLostError)):
        return error
    if isinstance(error, ExtensionError) or _LACKS_EXTENSION.search(_whole_text(error)):
        text = str(error) if isinstance(error, ExtensionError) else explain(error)
        return EnvironmentProblem(f"{stage}: {text}")
    told = shortage(stage, error, _whole_text(error), spark or SparkFacts(), jvm_status)
    if told is not None:
        return EnvironmentProblem(told)
    if isinstance(error, RinglakeError):
        return error
    if isinstance(error, (NotEnoughSlotsError, WorkerPythonError)):
        return EnvironmentProblem(f"{stage}: {error}")
    if isinstance(error, DataError):
        return InputError(f"{stage}: {error}")
    kind = StageFailedError if may_pass(error) else PermanentFailureError
    if isinstance(error, TrainingError):
        # Its message has lines: rank, host and the rank's own traceback.
        return kind(f"{stage} failed: {error}")
    return kind(f"{stage} failed: {explain(error)}")


def may_pass(error: BaseException) -> bool:
    """Whether a failure may be gone when the same command is run again.

    What a process lost (an executor, a rank, a connection, a file system that does not answer) may be there
    then; an error that code raised from the same data is raised again.
    """
    text = _whole_text(error)
    if isinstance(error, TrainingError):
        # The first line tells the cause; what follows tells the effects as well.
        text = str(error).partition("\n")[0]
    if isinstance(error, RankFailedError):
        if error.cause.kind in ("lost", "collective"):
            return True
        text = error.cause.summary
    return _PASSES.search(text) is not None


def _whole_text(error: BaseException) -> str:
    """What an error and those that led to it say, each with its kind."""
    parts: list[str] = []
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        parts.append(f"{type(cause).__name__}: {_text(cause)}")
        cause = cause.__cause__ or cause.__context__
    return "\n".join(parts)


def _text(error: BaseException) -> str:
    try:
        java = getattr(error, "java_exception", None)
        return f"{error}\n{java.toString()}" if java is not None else str(error)
    except Exception:  # noqa: BLE001 - the JVM that would tell more is gone
        return " ".join(str(part) for part in error.args)
