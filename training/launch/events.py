"""What a rank sends out on pipes of its own: events to the driver, and how it failed."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import threading
from typing import Any, NoReturn

from training.errors import TrainingError
from training.failures import Kind
from training.launch.frames import MAX_MESSAGE_BYTES, write_message

PARENT_VARIABLE = "RINGLAKE_PARENT_PID"
"""Names the process that started the rank."""

EVENT_VARIABLE = "RINGLAKE_EVENT_FD"
RESULT_VARIABLE = "RINGLAKE_RESULT_FD"
"""Name the pipes that the rank's task reads, see `name_pipe`."""

STACK_VARIABLE = "RINGLAKE_STACK_FD"
"""Names the file to which the rank writes where its threads are when a signal ends it."""

MAX_SUMMARY_CHARS = 2_000
MAX_TRACEBACK_CHARS = 20_000

MAX_LOG_CHARS = 4_000
"""Longest message of `log_to_driver`, as in HorovodRunner; what is longer is cut."""

RANK_MESSAGES = frozenset({"event", "log"})
"""Types of the messages on the event pipe."""

_ending = threading.Lock()
"""Taken by the first thread that ends the process, and never given back: a rank has one result."""


def name_pipe(descriptor: int) -> str:
    """How a variable names a pipe: its descriptor and its inode.

    A process that inherits the variable but not the pipe may have something else under that number.
    """
    return f"{descriptor}:{os.fstat(descriptor).st_ino}"


def find_pipe(variable: str) -> int | None:
    """The descriptor that a variable names; None without a launcher, or where the pipe was not inherited."""
    number, _, inode = os.environ.get(variable, "").partition(":")
    if not number or not inode:
        return None
    with contextlib.suppress(OSError):
        found = os.fstat(int(number))
        if stat.S_ISFIFO(found.st_mode) and found.st_ino == int(inode):
            return int(number)
    return None


def emit(event: dict[str, Any]) -> None:
    """Send an event to the driver; in a process that no launcher started it goes nowhere.

    May be called from any thread and from forked children. It waits while the driver is behind by more than
    `training.launch.delivery.WINDOW_BYTES`.

    Args:
        event: JSON values, for example {"step": 10, "loss": 3.2}.

    Raises:
        TypeError: The event is no dictionary, or holds what JSON does not have.
        TrainingError: It is longer than `MAX_MESSAGE_BYTES`.
    """
    if not isinstance(event, dict):
        raise TypeError(f"an event is a dictionary of JSON values, not a {type(event).__name__}")
    _send({"type": "event", "event": event})


def log_to_driver(message: str) -> None:
    """Show a message on the driver, whatever `driver_log_verbosity` is; without a launcher, print it.

    Args:
        message: One or more lines, cut after `MAX_LOG_CHARS` characters.
    """
    text = str(message)[:MAX_LOG_CHARS]
    if not _send({"type": "log", "text": text}):
        print_safely(text)


def print_safely(text: str) -> None:
    """Print a line; characters that standard output cannot show become escapes."""
    try:
        print(text, flush=True)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def _send(message: dict[str, Any]) -> bool:
    descriptor = find_pipe(EVENT_VARIABLE)
    if descriptor is None:
        return False
    content = json.dumps(message).encode()
    if len(content) > MAX_MESSAGE_BYTES:
        raise TrainingError(
            f"an event of {len(content):,} bytes of JSON is longer than the {MAX_MESSAGE_BYTES:,} that the "
            f"driver takes; save what is large to a file and send its path"
        )
    write_message(descriptor, content)
    return True


def end_with_failure(kind: Kind, summary: str, traceback: str, code: int = 1) -> NoReturn:
    """Tell the task how this rank failed and end the process at once, from any thread.

    Exit handlers do not run: Horovod's would wait for ranks that may be gone.

    Args:
        kind: 'exception' or 'collective', see `training.failures.RankFailure`.
        summary: One line.
        traceback: The rank's own.
        code: Exit code of the process.
    """
    frame = {
        "kind": kind,
        "summary": _shorten(summary, MAX_SUMMARY_CHARS),
        "traceback": _shorten(traceback, MAX_TRACEBACK_CHARS),
    }
    end_with("failed", json.dumps(frame).encode(), code)


def end_with(kind: str, content: bytes, code: int) -> NoReturn:
    """Write the result and end the process at once.

    The result says how long it is: a child that this rank leaves behind may hold the pipe open.

    Args:
        kind: 'ok' or 'failed'.
        content: The pickled value, or JSON.
        code: Exit code of the process.
    """
    _ending.acquire()
    for stream in (sys.stdout, sys.stderr):
        # The function may have closed them, or put something else there.
        with contextlib.suppress(Exception):
            stream.flush()
    # A forked child that ends like this is not the rank.
    is_rank = os.environ.get(PARENT_VARIABLE) == str(os.getppid())
    descriptor = find_pipe(RESULT_VARIABLE) if is_rank else None
    try:
        if descriptor is None:
            raise OSError(
                f"process {os.getpid()} has no pipe for its result: not a rank, or something closed it"
            )
        write_all(descriptor, f"{kind} {len(content)}\n".encode() + content)
    except OSError as error:
        text = content.decode(errors="replace") if kind == "failed" else ""
        with contextlib.suppress(OSError):
            write_all(2, f"{error}\n{text}\n".encode(errors="backslashreplace"))
        code = code or 1
    os._exit(code)


def write_all(descriptor: int, content: bytes) -> None:
    """Write everything to a descriptor; a pipe may take it in pieces."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _shorten(text: str, limit: int) -> str:
    """The beginning and the end of a text that is too long, and how much is missing between them."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} [... {len(text) - 2 * half:,} characters ...] {text[-half:]}"
