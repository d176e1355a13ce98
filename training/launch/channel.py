"""The driver's end of the connection to its barrier tasks, proved by a shared token.

The driver listens on one address while a job runs. A task proves that it knows the token (which travels
inside the Spark job) by an HMAC over a fresh nonce; whoever cannot is cut off. Either side that goes away,
even by kill -9, is noticed by the other as the end of the connection. Peers that prove nothing are bounded in
number, bytes and time, so that they take neither the driver's descriptors nor its memory.
"""

from __future__ import annotations

import contextlib
import hmac
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from training.launch.connection import (
    BUSY,
    HANDSHAKE_SECONDS,
    MAX_GREETING_BYTES,
    MAX_LINE_BYTES,
    Connection,
    Endpoint,
    Message,
    connect,
    keep_alive,
    prove,
)
from training.launch.network import Strangers, accept, end, listen

__all__ = ["MAX_LINE_BYTES", "Connection", "DriverServer", "Endpoint", "Message", "connect"]

MAX_STRANGERS = 64
"""Connections that have not proved themselves yet, or as many as there are ranks: these come all at once."""


class DriverServer:
    """The driver's end: accepts one connection a rank and hands every message to a callback.

    Args:
        bind_host: Address to listen on.
        public_host: Name under which tasks reach it.
        num_ranks: Ranks that may connect.
        on_message: Called with rank and message, from a thread of its own for each rank. A connection that
            ends otherwise than by being closed brings {"type": "broken", "reason": ...} at last.
        on_close: Called with the rank when its connection ends.
        ports: First and last port to choose from; None: any.
        ports_name: What the caller calls that range.
    """

    def __init__(
        self,
        bind_host: str,
        public_host: str,
        num_ranks: int,
        on_message: Callable[[int, Message], None],
        on_close: Callable[[int], None],
        ports: tuple[int, int] | None = None,
        ports_name: str = "train.ports",
    ) -> None:
        self._num_ranks = num_ranks
        self._on_message = on_message
        self._on_close = on_close
        self._connections: dict[int, Connection] = {}
        self._strangers = Strangers(max(MAX_STRANGERS, num_ranks), _turn_away)
        self._lock = threading.Lock()
        self._closed = False
        self._threads: set[threading.Thread] = set()
        self._listener = listen(
            bind_host,
            ports,
            lambda port: socket.create_server((bind_host, port), backlog=max(MAX_STRANGERS, num_ranks)),
            ports_name,
        )
        self.endpoint = Endpoint(public_host, self._listener.getsockname()[1], secrets.token_hex(32))
        self._start(self._accept)

    def broadcast(self, message: Message) -> None:
        """Send a message to all connected ranks."""
        with self._lock:
            connections = list(self._connections.values())
        for connection in connections:
            connection.send(message)

    def send(self, rank: int, message: Message) -> None:
        """Send a message to a rank, if it is connected."""
        with self._lock:
            connection = self._connections.get(rank)
        if connection is not None:
            connection.send(message)

    def close(self) -> None:
        """Stop listening and end every connection; tasks that still run take it as the order to stop."""
        with self._lock:
            self._closed = True
            connections = list(self._connections.values())
            threads = list(self._threads)
        # Closing alone does not wake a thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._strangers.close()
        for connection in connections:
            connection.close()
        deadline = time.monotonic() + HANDSHAKE_SECONDS
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        def run() -> None:
            try:
                target(*arguments)
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, daemon=True)
        with self._lock:
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            # No thread is left on this machine; the caller lets the connection go.
            with self._lock:
                self._threads.discard(thread)
            raise

    def _accept(self) -> None:
        while not self._closed:
            connected = accept(self._listener, self._strangers, is_closed=lambda: self._closed)
            if connected is None:
                return
            self._strangers.add(connected)
            try:
                self._start(self._serve, connected)
            except RuntimeError:
                self._strangers.discard(connected)
                connected.close()

    def _serve(self, connected: socket.socket) -> None:
        connection = Connection(connected)
        rank: int | None = None
        try:
            keep_alive(connected)
            rank = self._identify(connection)
        except OSError:
            rank = None
        # A peer that had to make room meanwhile has been told so.
        if not self._strangers.discard(connected) or rank is None or not self._welcome(rank, connection):
            connection.close()
            return
        try:
            connected.settimeout(None)
            for message in connection.messages():
                self._on_message(rank, message)
        except Exception as error:  # noqa: BLE001 - a connection must not end without a word
            connection.broken = f"its message could not be taken: {type(error).__name__}: {error}"
        finally:
            with self._lock:
                self._connections.pop(rank, None)
            connection.close()
            if connection.broken and not self._closed:
                self._on_message(rank, {"type": "broken", "reason": connection.broken})
            self._on_close(rank)

    def _identify(self, connection: Connection) -> int | None:
        """The rank at the other end, or None if it has not proved to be one."""
        deadline = time.monotonic() + HANDSHAKE_SECONDS
        nonce = secrets.token_hex(32)
        connection.send({"nonce": nonce})
        answer = connection.receive(MAX_GREETING_BYTES, deadline) or {}
        rank, proof = answer.get("rank"), answer.get("proof")
        if not isinstance(rank, int) or not isinstance(proof, str) or not 0 <= rank < self._num_ranks:
            return None
        expected = prove(self.endpoint.token, nonce, rank)
        return rank if hmac.compare_digest(proof.encode(errors="replace"), expected.encode()) else None

    def _welcome(self, rank: int, connection: Connection) -> bool:
        """Let a rank in; False if it is here already, or the job is over."""
        with self._lock:
            if self._closed or rank in self._connections:
                return False
            # Before anything else can be said to it.
            connection.send({"type": "welcome"})
            self._connections[rank] = connection
            return True


def _turn_away(crowded: socket.socket) -> None:
    """Make room; a task that is turned away comes again."""
    with contextlib.suppress(OSError):
        crowded.settimeout(0.0)
        Connection(crowded).send(BUSY)
    end(crowded)
