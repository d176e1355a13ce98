"""A command in a process group of its own, its output line by line, ended as a whole. Needs no Airflow."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

GRACE_SECONDS = 30.0
"""How long a run may take to end after an interrupt: it cancels Spark's jobs and ends its ranks. Airflow
kills a task 60 s after it has asked it to end (`core.killed_task_cleanup_time`)."""

TERM_SECONDS = 10.0
"""How long it may take after that to end on SIGTERM, before it is killed."""

LOOK_SECONDS = 1.0
"""How often a command that prints nothing is looked at."""

LEFT_SECONDS = 20.0
"""How long the JVM of a command that has ended may take to stop Spark and to remove its temporary files."""

KILL_SECONDS = 5.0
"""How long the system may take to remove what was killed; where nobody collects it, it stays as a zombie."""

MAX_LINE_BYTES = 100_000
"""A longer line is cut in pieces."""


class Command:
    """A command that runs.

    All of its processes but Spark's Python workers, which end with the JVM, are in its group. When the
    command has ended, what is left of the group has `LEFT_SECONDS` to end as well, then it is killed: a JVM
    that outlives a killed driver could still write when the next attempt begins.
    """

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str], cwd: str | None = None) -> None:
        """Starts it.

        Args:
            arguments: The program and its arguments; no shell sees them.
            env: All of its environment.
            cwd: Its working folder; None: this process's.

        Raises:
            OSError: The program cannot be started.
        """
        with _heeding_interrupts():
            self._process = subprocess.Popen(
                list(arguments),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group."""
        return self._process.pid

    def lines(self) -> Iterator[str]:
        """The lines that it prints, on standard output and standard error, until it ends."""
        assert self._process.stdout is not None
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                if selector.select(LOOK_SECONDS):
                    chunk = os.read(self._process.stdout.fileno(), 65536)
                    if not chunk:
                        break
                    *whole, rest = (rest + chunk).split(b"\n")
                    if len(rest) > MAX_LINE_BYTES:
                        whole, rest = [*whole, rest], b""
                    yield from (_text(line) for line in whole)
                elif self._process.poll() is not None:
                    break  # what is left of its group holds the pipe open
        if rest:
            yield _text(rest)

    def wait(self) -> int:
        """Waits for the end of it and of its group, and gives its exit code; see `subprocess`."""
        code = self._process.wait()
        self._end_group(LEFT_SECONDS)
        return code

    def end(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Interrupts it as Ctrl-C does; if that does not end it in time, terminates it, then kills it."""
        for number, seconds in ((signal.SIGINT, grace_seconds), (signal.SIGTERM, TERM_SECONDS)):
            if self._process.poll() is not None:
                break
            self._signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        if self._process.poll() is None:
            self._signal(signal.SIGKILL)
        self._process.wait()
        self._end_group(TERM_SECONDS)

    def _end_group(self, seconds: float) -> None:
        """Waits until nothing is left of the group; what is there after that time is killed."""
        if not self._is_gone_within(seconds):
            self._signal(signal.SIGKILL)
            self._is_gone_within(KILL_SECONDS)

    def _is_gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._signal(0):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def _signal(self, number: int) -> bool:
        """Sends a signal to the group, 0 for none, and tells whether there is one."""
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):  # the second is macOS's for a group of zombies
            return False
        return True


@contextlib.contextmanager
def _heeding_interrupts() -> Iterator[None]:
    """What is started meanwhile heeds SIGINT, also where a shell has started this process in the background.

    Such a process ignores it, and so would its children. Only the main thread can set that.
    """
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not is_ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\r")
