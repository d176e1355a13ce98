"""What a person sees of a long job: lines that stay, and one live line that says how far it is."""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO

from conf.urls import without_secrets

QUIET_SECONDS = 2.0
"""A live line is shown from this age on, and where there is no terminal again every LINE_SECONDS."""

LINE_SECONDS = 5.0
"""How often a live line is written where it cannot be rewritten in place: a log, a pipe."""


class Console:
    """Prints progress to standard error, so that standard output stays clean for results."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._live = ""
        self._last = time.monotonic()
        self._touched = self._last
        self._lock = threading.Lock()

    def say(self, line: str) -> None:
        """A line that stays."""
        with self._lock:
            self._erase()
            self._stream.write(_shown(line) + "\n")
            self._stream.flush()
            self._last = self._touched = time.monotonic()

    def silent_for(self) -> float:
        """Seconds since anybody last had something to say."""
        return time.monotonic() - self._touched

    def live(self, line: str) -> None:
        """The state of a running job: rewritten in place on a terminal, else a line every five seconds."""
        with self._lock:
            self._touched = time.monotonic()
            if self._terminal:
                self._erase()
                self._live = _shown(line)[:118]
                self._stream.write(self._live)
                self._stream.flush()
            elif time.monotonic() - self._last >= LINE_SECONDS:
                self._stream.write(_shown(line) + "\n")
                self._stream.flush()
                self._last = time.monotonic()

    def _erase(self) -> None:
        if self._live:
            self._stream.write("\r" + " " * len(self._live) + "\r")
            self._live = ""


def _shown(line: str) -> str:
    """A line of a log that others may read: URLs in it lose their secrets."""
    return printable(without_secrets(line))


def printable(text: str) -> str:
    """Text that cannot steer a terminal: control characters but tab and newline become escapes."""
    return "".join(
        char if char.isprintable() or char in "\t\n" else char.encode("unicode_escape").decode()
        for char in text
    )
