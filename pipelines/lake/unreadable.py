"""Why a table of the lake cannot be read, in one line: which table, what is wrong, what helps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.errors import EnvironmentProblem, InputError, RinglakeError
from pipelines.lake.paths import Lake
from schemas.runs import RUNS

_MAX_CHARS = 400

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BACKTRACE = re.compile(r"\s+(?:stack backtrace:|0: ).*", re.DOTALL)
_DENIED = re.compile(r"permission denied|access ?denied|forbidden|not authorized|\b403\b", re.IGNORECASE)

_SHORT = re.compile(r"no space left|quota exceeded|too many open files|cannot allocate", re.IGNORECASE)


@contextmanager
def told_of(lake: Lake, name: str) -> Iterator[None]:
    """What goes wrong while a table is read, as one of our errors; see `unreadable`."""
    try:
        yield
    except (RinglakeError, MemoryError):
        raise
    except Exception as error:  # the log's reader, the engine of queries and each file system raise their own
        raise unreadable(lake, name, error) from error


def unreadable(lake: Lake, name: str, error: Exception) -> RinglakeError:
    """The error of a table that cannot be read.

    Returns:
        EnvironmentProblem where rights, memory, disk or open files lack, or the file system of a URL failed;
        InputError where the table is damaged.
    """
    said = in_one_line(error)
    place = lake.table(name)
    what = f"table {name!r} of the lake {lake.location} cannot be read: {said.rstrip('.')}"
    if _DENIED.search(said):
        return EnvironmentProblem(f"{what}; give this user the rights to read and write all of {place}")
    if _SHORT.search(said) or (isinstance(error, OSError) and not lake.root.is_local):
        return EnvironmentProblem(f"{what}; run again when that has passed")
    again = (
        "every stage then runs again and is recorded anew"
        if name == RUNS.name
        else "then run the stage again that writes it"
    )
    if lake.names is not None:
        return InputError(f"{what}; RESTORE TABLE {place} to a version that can be read: {again}")
    return InputError(f"{what}; put back a copy of {place}, or move that folder away: {again}")


def in_one_line(error: Exception) -> str:
    """What a library says, without colours, backtraces and line breaks."""
    text = _BACKTRACE.sub("", _COLOUR.sub("", str(error)).replace("\u21b3", ":"))
    text = re.sub(r"\s+:\s+", ": ", " ".join(text.split())) or type(error).__name__
    # What failed stands at the beginning, why at the end.
    half = _MAX_CHARS // 2
    return text if len(text) <= _MAX_CHARS else f"{text[:half]} ... {text[-half:]}"
