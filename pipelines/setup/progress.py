"""What a person sees while set-up works: a line per step, and a live tick for the long ones."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from pipelines.setup.errors import CommandError

TERMINAL_TICK_S = 1.0
LOG_TICK_S = 20.0
LAST_LINES = 25
_TELLING_LINES = 2_000
_READ_BACK_BYTES = 262_144


class Progress:
    """Writes lines stamped with the seconds since set-up began.

    Args:
        stream: Where the lines go; the standard error by default, so that output stays parseable.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._start = time.monotonic()
        self._live = False

    def line(self, text: str) -> None:
        """Write one line that stays."""
        self._clear()
        self._write(f"[{time.monotonic() - self._start:6.1f} s] {text}\n")

    def tick(self, text: str) -> None:
        """Overwrite the line at the bottom of a terminal; on a pipe, write an ordinary line."""
        if not self._stream.isatty():
            self.line(text)
            return
        width = shutil.get_terminal_size().columns - 1
        self._clear()
        self._write(f"[{time.monotonic() - self._start:6.1f} s] {text}"[:width])
        self._live = True

    def run(
        self,
        command: Sequence[str],
        *,
        label: str,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        telling: str = "",
    ) -> None:
        """Run a program with its output in `log`, showing that it lives.

        Args:
            command: Program and arguments; never passed through a shell.
            label: What the program does, in a person's words.
            log: File the output is appended to.
            env: The complete environment; this process's own when None.
            cwd: Directory to run in.
            telling: Regular expression for the lines of the log that tell how far it is; any line
                when empty.

        Raises:
            CommandError: The program is not there or ended with a non-zero status; the message
                has the last lines of the log and its path.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            output.write(f"$ {' '.join(command)}\n".encode())
            output.flush()
            try:
                process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=None if env is None else dict(env),
                    cwd=cwd,
                    start_new_session=True,
                )
            except OSError as error:
                raise CommandError(f"{label}: cannot start {command[0]}: {error}") from error
            try:
                self._wait(process, label, log, telling)
            except BaseException:
                _end_group(process)
                raise
        if process.returncode:
            raise CommandError(
                f"{label} failed: {Path(command[0]).name} ended with status {process.returncode}.\n"
                f"{last_lines(log)}\nThe whole log: {log}"
            )

    def _wait(self, process: subprocess.Popen[bytes], label: str, log: Path, telling: str) -> None:
        """Wait for the process, ticking with the log's newest telling line."""
        began, newest = time.monotonic(), ""
        every = TERMINAL_TICK_S if self._stream.isatty() else LOG_TICK_S
        while True:
            try:
                process.wait(timeout=every)
            except subprocess.TimeoutExpired:
                lines = [line.strip() for line in last_lines(log, _TELLING_LINES).splitlines()]
                newest = next((line for line in reversed(lines) if line and re.search(telling, line)), newest)
                self.tick(f"{label}: {time.monotonic() - began:.0f} s ... {newest[:100]}")
            else:
                self._clear()
                return

    def _clear(self) -> None:
        if self._live:
            self._write("\r\x1b[K")
            self._live = False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def last_lines(log: Path, num_lines: int = LAST_LINES) -> str:
    """Return the last lines of a text file, reading only its end.

    Args:
        log: The file; an absent one counts as empty.
        num_lines: How many lines at most.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _READ_BACK_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-num_lines:])


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the program and all it started: an interrupted compiler run must not go on unseen."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
