"""Starts a rank process, forwards what it prints, takes its result, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from training.launch.channel import Message
from training.launch.events import EVENT_VARIABLE, RANK_MESSAGES, RESULT_VARIABLE
from training.launch.failures import Failure, describe_exit
from training.launch.keeper import Keeper

PARENT_VARIABLE = "RINGLAKE_PARENT_PID"

MAX_OUTPUT_LINE_BYTES = 16_384
"""Longer lines of output are cut into pieces of this size."""

TAIL_LINES = 20
"""Lines of output that a failure carries."""

DRAIN_SECONDS = 5.0
"""How long output may keep coming after the process has ended; only a process that left its group can."""


@dataclass(frozen=True)
class Outcome:
    """How a rank process ended: a pickled value, a failure, or neither if it was told to stop."""

    value: bytes | None = None
    failure: Failure | None = None


def route_output(send: Callable[[Message], object], *, stream: bool) -> Callable[[Message], object]:
    """Where the messages of a rank go: all to the driver, or its output to this process's stderr instead."""
    if stream:
        return send

    def route(message: Message) -> object:
        if message["type"] == "output":
            return print(message["text"], file=sys.stderr, flush=True)
        return send(message)

    return route


class RankProcess:
    """One rank process in a process group of its own.

    It imports torch and Horovod at once and waits for what it shall run: `give` comes when all have met.

    Args:
        environment: The variables that it starts with.
        rank: Its rank, for messages.
        host: Its host, for messages.
        send: Takes 'output', 'log' and 'event' messages.
    """

    def __init__(
        self,
        environment: dict[str, str],
        *,
        rank: int,
        host: str,
        send: Callable[[Message], object],
    ) -> None:
        self._rank, self._host, self._send = rank, host, send
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._stopped = False
        self._lock = threading.Lock()
        result_read, result_write = os.pipe()
        event_read, event_write = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "training.launch.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={
                    **environment,
                    PARENT_VARIABLE: str(os.getpid()),
                    RESULT_VARIABLE: str(result_write),
                    EVENT_VARIABLE: str(event_write),
                },
                pass_fds=(result_write, event_write),
                start_new_session=True,
            )
        finally:
            os.close(result_write)
            os.close(event_write)
        self._keeper = Keeper(self._process.pid)
        self._result = b""
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

    def wait(self) -> Outcome:
        """Wait until it has ended, by itself or by `stop`."""
        try:
            code = self._process.wait()
        finally:
            self._kill_group()
            self._keeper.dismiss()
        for thread in self._threads:
            thread.join(timeout=DRAIN_SECONDS)
        kind, _, content = self._result.partition(b"\n")
        if kind == b"ok" and code == 0:
            return Outcome(value=content)
        if kind == b"failed":
            return Outcome(failure=self._failure(**json.loads(content)))
        if self._stopped:
            return Outcome()
        return Outcome(failure=self._failure(kind="exit", summary=describe_exit(code)))

    def _failure(self, kind: str, summary: str, traceback: str = "") -> Failure:
        return Failure(self._rank, self._host, kind, summary, traceback, "\n".join(self._tail))

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _feed(self, head: bytes, payload: bytes) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(head)
            pipe.write(payload)

    def _read_result(self, descriptor: int) -> None:
        with os.fdopen(descriptor, "rb") as pipe:
            self._result = pipe.read()

    def _pump(self, descriptor: int, stream: str) -> None:
        with os.fdopen(descriptor, "rb", closefd=False) as pipe:
            while line := pipe.readline(MAX_OUTPUT_LINE_BYTES):
                text = line.decode("utf-8", errors="replace").rstrip("\r\n")
                self._tail.append(text)
                self._send({"type": "output", "stream": stream, "text": text})

    def _pump_events(self, descriptor: int) -> None:
        with os.fdopen(descriptor, "rb") as pipe:
            for line in pipe:
                with contextlib.suppress(ValueError):
                    message = json.loads(line)
                    if isinstance(message, dict) and message.get("type") in RANK_MESSAGES:
                        self._send(message)
