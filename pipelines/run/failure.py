"""Says in one paragraph why a stage failed, from Python, Spark and Java errors alike."""

from __future__ import annotations

import re

from conf.urls import without_secrets
from pipelines.errors import EnvironmentProblem, InputError, RinglakeError, StageFailedError
from training.errors import DataError, NotEnoughSlotsError, TrainingError

MAX_CHARS = 2000

_PYTHON_ERROR = re.compile(r"^(?:[\w.]+\.)?\w*(?:Error|Exception|Problem|Interrupt)\b.*", re.MULTILINE)
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
            return matches[0][:MAX_CHARS].strip()
    causes = _CAUSE.findall(text)
    if causes:
        return str(causes[-1])[:MAX_CHARS].strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    message = lines[0] if lines else ""
    return f"{kind}: {message}"[:MAX_CHARS] if message else kind


def in_our_words(stage: str, error: Exception) -> RinglakeError:
    """The error as one of ours, whose kind decides the exit code."""
    if isinstance(error, RinglakeError):
        return error
    if isinstance(error, NotEnoughSlotsError):
        return EnvironmentProblem(f"{stage}: {error}")
    if isinstance(error, DataError):
        return InputError(f"{stage}: {error}")
    if isinstance(error, TrainingError):
        # Its message has lines: rank, host and the rank's own traceback.
        return StageFailedError(f"{stage} failed: {error}")
    return StageFailedError(f"{stage} failed: {explain(error)}")


def _text(error: BaseException) -> str:
    java = getattr(error, "java_exception", None)
    return f"{error}\n{java.toString()}" if java is not None else str(error)
