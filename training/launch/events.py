"""Events that a rank sends to the driver: progress, as small JSON values on a pipe of their own."""

from __future__ import annotations

import json
import os
from typing import Any

EVENT_VARIABLE = "RINGLAKE_EVENT_FD"
"""Names the descriptor of the pipe that the rank's task reads."""


def emit(event: dict[str, Any]) -> None:
    """Send an event to the driver; in a process that no launcher started it goes nowhere.

    Args:
        event: JSON values, for example {"step": 10, "loss": 3.2}.
    """
    descriptor = os.environ.get(EVENT_VARIABLE)
    if descriptor is not None:
        write_all(int(descriptor), json.dumps(event).encode() + b"\n")


def write_all(descriptor: int, content: bytes) -> None:
    """Write everything to a descriptor; a pipe may take it in pieces."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
