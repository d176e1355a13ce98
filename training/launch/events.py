"""What a rank sends out on pipes of its own: events to the driver, and how it failed."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn

EVENT_VARIABLE = "RINGLAKE_EVENT_FD"
RESULT_VARIABLE = "RINGLAKE_RESULT_FD"
"""Name the descriptors of the pipes that the rank's task reads."""

MAX_TRACEBACK_CHARS = 20_000

MAX_LOG_CHARS = 4_000
"""Longest message of `log_to_driver`, as in HorovodRunner; what is longer is cut."""

RANK_MESSAGES = frozenset({"event", "log"})
"""Types of the messages on the event pipe."""


def emit(event: dict[str, Any]) -> None:
    """Send an event to the driver; in a process that no launcher started it goes nowhere.

    Args:
        event: JSON values, for example {"step": 10, "loss": 3.2}.
    """
    _send({"type": "event", "event": event})


def log_to_driver(message: str) -> None:
    """Show a message on the driver, whatever `driver_log_verbosity` is; without a launcher, print it.

    Args:
        message: One or more lines, cut after `MAX_LOG_CHARS` characters.
    """
    text = str(message)[:MAX_LOG_CHARS]
    if not _send({"type": "log", "text": text}):
        print(text, flush=True)


def _send(message: dict[str, Any]) -> bool:
    descriptor = os.environ.get(EVENT_VARIABLE)
    if descriptor is None:
        return False
    write_all(int(descriptor), json.dumps(message).encode() + b"\n")
    return True


def end_with_failure(kind: str, summary: str, traceback: str, code: int = 1) -> NoReturn:
    """Tell the task how this rank failed and end the process at once, from any thread.

    Exit handlers do not run: Horovod's would wait for ranks that may be gone.

    Args:
        kind: 'exception' or 'collective', see `training.launch.failures.Failure`.
        summary: One line.
        traceback: The rank's own.
        code: Exit code of the process.
    """
    frame = {"kind": kind, "summary": summary[:2000], "traceback": traceback[-MAX_TRACEBACK_CHARS:]}
    end_with(b"failed\n" + json.dumps(frame).encode(), code)


def end_with(result: bytes, code: int) -> NoReturn:
    """Write the result and end the process at once."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    descriptor = os.environ.get(RESULT_VARIABLE)
    if descriptor is not None:
        write_all(int(descriptor), result)
    else:
        sys.stderr.write(result.decode(errors="replace"))
        sys.stderr.flush()
    os._exit(code)


def write_all(descriptor: int, content: bytes) -> None:
    """Write everything to a descriptor; a pipe may take it in pieces."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
