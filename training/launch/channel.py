"""The line between the driver and its barrier tasks: JSON messages over TCP, proved by a shared token.

The driver listens on one address while a job runs. A task proves that it knows the token (which travels
inside the Spark job) by an HMAC over a fresh nonce; whoever cannot is cut off. Either side that goes away,
even by kill -9, is noticed by the other as the end of the connection.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from training.launch.network import listen

MAX_LINE_BYTES = 4 << 20
"""Longest message; output lines are cut long before this."""

HANDSHAKE_SECONDS = 10.0
"""A peer that has not proved itself by then is cut off."""

KEEPALIVE_SECONDS = 5
KEEPALIVE_PROBES = 3
"""A host that lost power or network closes no connection: after 5 s of silence it is asked every 5 s, and
three unanswered questions end the line, so within 20 s. Who has something to send asks nothing, and would
send it again for a quarter of an hour (Linux); what stays unacknowledged for 20 s ends the line as well."""

Message = dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """Where the driver listens and what a task needs to be let in."""

    host: str
    port: int
    token: str


class Connection:
    """One end of an established line; `send` may be called from any thread."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._reader = connected.makefile("rb")
        self._lock = threading.Lock()

    def send(self, message: Message) -> bool:
        """Send a message; False if the other side is gone."""
        line = json.dumps(message, ensure_ascii=True).encode() + b"\n"
        with self._lock:
            try:
                self._socket.sendall(line)
            except OSError:
                return False
        return True

    def messages(self) -> Iterator[Message]:
        """Messages until the other side closes or breaks the protocol."""
        while True:
            try:
                line = self._reader.readline(MAX_LINE_BYTES)
            except (OSError, ValueError):
                return
            if not line.endswith(b"\n"):
                return
            try:
                message = json.loads(line)
            except ValueError:
                return
            if not isinstance(message, dict):
                return
            yield message

    def close(self) -> None:
        """End the line for both sides."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def connect(endpoint: Endpoint, rank: int) -> Connection:
    """The task's end of the line.

    Raises:
        ConnectionError: The driver cannot be reached or does not let this task in.
    """
    connected = socket.create_connection((endpoint.host, endpoint.port), timeout=HANDSHAKE_SECONDS)
    _keep_alive(connected)
    connection = Connection(connected)
    hello = next(connection.messages(), None)
    if hello is None:
        raise ConnectionError(f"the driver at {endpoint.host}:{endpoint.port} closed the connection")
    connection.send({"rank": rank, "proof": _proof(endpoint.token, str(hello.get("nonce")), rank)})
    if next(connection.messages(), None) != {"type": "welcome"}:
        raise ConnectionError(f"the driver at {endpoint.host}:{endpoint.port} did not let rank {rank} in")
    connected.settimeout(None)
    return connection


class DriverServer:
    """The driver's end: accepts one line a rank and hands every message to a callback.

    Args:
        bind_host: Address to listen on.
        public_host: Name under which tasks reach it.
        num_ranks: Ranks that may connect.
        on_message: Called with rank and message, from a thread of its own for each rank.
        on_close: Called with the rank when its line ends.
        ports: First and last port to choose from; None: any.
    """

    def __init__(
        self,
        bind_host: str,
        public_host: str,
        num_ranks: int,
        on_message: Callable[[int, Message], None],
        on_close: Callable[[int], None],
        ports: tuple[int, int] | None = None,
    ) -> None:
        self._num_ranks = num_ranks
        self._on_message = on_message
        self._on_close = on_close
        self._lines: dict[int, Connection] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._listener = listen(
            bind_host, ports, lambda port: socket.create_server((bind_host, port), backlog=max(16, num_ranks))
        )
        self.endpoint = Endpoint(public_host, self._listener.getsockname()[1], secrets.token_hex(32))
        self._start(self._accept)

    def broadcast(self, message: Message) -> None:
        """Send a message to all connected ranks."""
        with self._lock:
            lines = list(self._lines.values())
        for line in lines:
            line.send(message)

    def close(self) -> None:
        """Stop listening and end every line; tasks that still run take it as the order to stop."""
        with self._lock:
            self._closed = True
            lines = list(self._lines.values())
        # Closing alone does not wake a thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in lines:
            line.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=HANDSHAKE_SECONDS)

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, connected)

    def _serve(self, connected: socket.socket) -> None:
        connected.settimeout(HANDSHAKE_SECONDS)
        _keep_alive(connected)
        line = Connection(connected)
        rank = self._admit(line)
        if rank is None:
            line.close()
            return
        connected.settimeout(None)
        try:
            for message in line.messages():
                self._on_message(rank, message)
        finally:
            with self._lock:
                self._lines.pop(rank, None)
            line.close()
            self._on_close(rank)

    def _admit(self, line: Connection) -> int | None:
        """The rank at the other end, or None if it has not proved to be one."""
        nonce = secrets.token_hex(32)
        line.send({"nonce": nonce})
        answer = next(line.messages(), None) or {}
        rank, proof = answer.get("rank"), answer.get("proof")
        if not isinstance(rank, int) or not isinstance(proof, str) or not 0 <= rank < self._num_ranks:
            return None
        if not hmac.compare_digest(proof.encode(), _proof(self.endpoint.token, nonce, rank).encode()):
            return None
        with self._lock:
            if self._closed or rank in self._lines:
                return None
            self._lines[rank] = line
        line.send({"type": "welcome"})
        return rank


def _keep_alive(connected: socket.socket) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_SECONDS),
        ("TCP_KEEPINTVL", KEEPALIVE_SECONDS),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    ):
        if hasattr(socket, option):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = 1000 * KEEPALIVE_SECONDS * (1 + KEEPALIVE_PROBES)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def _proof(token: str, nonce: str, rank: int) -> str:
    return hmac.new(token.encode(), f"{nonce}:{rank}".encode(), hashlib.sha256).hexdigest()
