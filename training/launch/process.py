"""Starts a rank process, forwards what it prints, takes its result, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil

from training.failures import Kind, RankFailure, describe_exit, failure_from_message
from training.launch.connection import Message
from training.launch.delivery import Window, size_of
from training.launch.events import (
    EVENT_VARIABLE,
    MAX_TRACEBACK_CHARS,
    PARENT_VARIABLE,
    RANK_MESSAGES,
    RESULT_VARIABLE,
    STACK_VARIABLE,
    name_pipe,
)
from training.launch.frames import Reassembly
from training.launch.keeper import Keeper

MAX_OUTPUT_LINE_BYTES = 16_384
"""Longer lines of output are cut into pieces of this size."""

TAIL_LINES = 20
"""Lines of output that a failure carries."""

_READ_BYTES = 1 << 16
_MAX_HEAD_BYTES = 64

DRAIN_SECONDS = 5.0
"""How long output may keep coming after the process has ended; only a process that left its group can."""

_WORKER = "training.launch.worker"

_AMID_OTHERS = f"import ringlake.names; ringlake.names.claim(); from {_WORKER} import main; main()"
"""Starts a rank where packages of another project have the names of ours."""


def rank_program() -> list[str]:
    """Arguments of Python that start a rank, whatever packages the folder of its task has."""
    from ringlake.names import foreign

    # -P keeps the working directory off the path; what it is to find there is on PYTHONPATH.
    return ["-P", "-W", "ignore", "-c", _AMID_OTHERS, _WORKER] if foreign() else ["-m", _WORKER]


@dataclass(frozen=True)
class Outcome:
    """How a rank process ended: a pickled value, a failure, or neither if it was told to stop."""

    value: bytes | None = None
    failure: RankFailure | None = None


class RankProcess:
    """One rank process in a process group of its own.

    It imports torch and Horovod at once and waits for what it shall run: `give` comes when all have met.

    Args:
        environment: The variables that it starts with.
        rank: Its rank, for messages.
        host: Its host, for messages.
        send: Takes 'output', 'log' and 'event' messages.
        window: Holds the rank back while the driver is behind.
        stream_output: Whether what it prints goes to `send`; else it goes to this process's stderr.
    """

    def __init__(
        self,
        environment: dict[str, str],
        *,
        rank: int,
        host: str,
        send: Callable[[Message], object],
        window: Window,
        stream_output: bool = True,
    ) -> None:
        self._rank, self._host, self._send = rank, host, send
        self._window, self._stream_output = window, stream_output
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._sending: set[int] = set()
        self._stopped = False
        self._lock = threading.Lock()
        result_read, result_write = os.pipe()
        event_read, event_write = os.pipe()
        # Without a name, so that nothing is left of it, whoever is killed.
        self._stack = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process has ended
        self._mark = name_pipe(result_write)
        try:
            self._process = subprocess.Popen(
                [sys.executable, *rank_program()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={
                    **environment,
                    PARENT_VARIABLE: str(os.getpid()),
                    RESULT_VARIABLE: self._mark,
                    EVENT_VARIABLE: name_pipe(event_write),
                    STACK_VARIABLE: str(self._stack.fileno()),
                },
                pass_fds=(result_write, event_write, self._stack.fileno()),
                start_new_session=True,
            )
        finally:
            os.close(result_write)
            os.close(event_write)
        self._keeper = Keeper(self._process.pid)
        self._result: tuple[str, bytes] | None = None
        process = self._process
        assert process.stdin and process.stdout and process.stderr
        self._threads = [
            threading.Thread(target=target, args=arguments, daemon=True)
            for target, arguments in (
                (self._pump, (process.stdout.fileno(), "stdout")),
                (self._pump, (process.stderr.fileno(), "stderr")),
                (self._pump_events, (event_read,)),
                (self._read_result, (result_read,)),
            )
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """Its process id, which is its process group's too."""
        return self._process.pid

    def give(self, payload: bytes, variables: Mapping[str, str]) -> None:
        """Have it run a function.

        Args:
            payload: The pickled function and its arguments.
            variables: Environment variables that it sets before.
        """
        head = json.dumps(dict(variables)).encode() + b"\n"
        thread = threading.Thread(target=self._feed, args=(head, payload), daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """End it and everything it started, unless it has ended by itself; from any thread."""
        with self._lock:
            if self._process.poll() is None:
                self._stopped = True
                self._kill_group()
        self._window.open()

    def wait(self) -> Outcome:
        """Wait until it has ended, by itself or by `stop`."""
        try:
            code = self._process.wait()
        finally:
            self._kill_group()
            self._keeper.dismiss()
            self._kill_strays()
        self._drain(failed=self._result is None and code != 0)
        with self._stack:
            stack = self._read_stack() if code < 0 else ""
        # A value that is whole counts, whatever the process died of afterwards.
        kind, content = self._result or ("", b"")
        if kind == "ok":
            return Outcome(value=content)
        if kind == "failed":
            told = failure_from_message(json.loads(content))
            return Outcome(failure=self._failure(told.kind, told.summary, told.traceback))
        if self._stopped:
            return Outcome()
        return Outcome(failure=self._failure("exit", describe_exit(code), stack))

    def _drain(self, *, failed: bool) -> None:
        """Wait for what is still in the pipes.

        Output that the driver is too slow to take is waited for, unless there is a failure to be told; a pipe
        that a process outside the group holds open is not.
        """
        deadline = time.monotonic() + DRAIN_SECONDS
        while any(thread.is_alive() for thread in self._threads) and time.monotonic() < deadline:
            for thread in self._threads:
                thread.join(timeout=0.05)
            if self._sending and not failed and (self._result is None or self._result[0] == "ok"):
                deadline = time.monotonic() + DRAIN_SECONDS

    def _read_stack(self) -> str:
        """What `faulthandler` wrote: where the threads were when a signal ended the process."""
        self._stack.seek(0)
        return self._stack.read(MAX_TRACEBACK_CHARS).decode(errors="replace")

    def _failure(self, kind: Kind, summary: str, traceback: str = "") -> RankFailure:
        return RankFailure(self._rank, self._host, kind, summary, traceback, "\n".join(self._tail))

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _kill_strays(self) -> None:
        """End what the rank started in a session of its own, which its group does not reach."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(RESULT_VARIABLE) == self._mark:
                    process.kill()

    def _feed(self, head: bytes, payload: bytes) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(head)
            pipe.write(payload)

    def _read_result(self, descriptor: int) -> None:
        """Not to the end of the pipe: a process that the rank has left behind may hold that open."""
        with os.fdopen(descriptor, "rb") as pipe:
            kind, _, size = pipe.readline(_MAX_HEAD_BYTES).decode(errors="replace").partition(" ")
            if kind in {"ok", "failed"} and size.strip().isdigit():
                content = pipe.read(int(size))
                if len(content) == int(size):
                    self._result = kind, content

    def _pump(self, descriptor: int, stream: str) -> None:
        with os.fdopen(descriptor, "rb", closefd=False) as pipe:
            while line := pipe.readline(MAX_OUTPUT_LINE_BYTES):
                text = line.decode("utf-8", errors="replace").rstrip("\r\n")
                self._tail.append(text)
                if self._stream_output:
                    self._deliver({"type": "output", "stream": stream, "text": text})
                else:
                    # The rank goes on though nobody keeps its output.
                    with contextlib.suppress(OSError, ValueError):
                        print(text, file=sys.stderr, flush=True)

    def _pump_events(self, descriptor: int) -> None:
        messages = Reassembly()
        with os.fdopen(descriptor, "rb", buffering=0) as pipe:
            while content := pipe.read(_READ_BYTES):
                for encoded in messages.feed(content):
                    self._deliver_event(encoded)
        if messages.num_lost:
            self._deliver(
                {"type": "log", "text": f"{messages.num_lost} events were cut off: their writers died"}
            )

    def _deliver_event(self, encoded: bytes) -> None:
        try:
            message = json.loads(encoded)
            if not isinstance(message, dict) or message.get("type") not in RANK_MESSAGES:
                raise ValueError("it is none of ours")
        except (ValueError, RecursionError) as error:
            self._deliver(
                {"type": "log", "text": f"an event of {len(encoded)} bytes cannot be read: {error}"}
            )
            return
        size = len(encoded) if message["type"] == "event" else 0
        self._deliver({**message, "size": size})

    def _deliver(self, message: Message) -> None:
        """Send a message as soon as the driver has room for it."""
        me = threading.get_ident()
        self._sending.add(me)
        try:
            self._window.take(size_of(message))
            self._send(message)
        finally:
            self._sending.discard(me)
