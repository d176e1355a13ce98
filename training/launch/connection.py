"""One end of the connection between the driver and a task: JSON messages, one a line, over a TCP socket."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from training.launch.frames import MAX_MESSAGE_BYTES

MAX_LINE_BYTES = MAX_MESSAGE_BYTES + 4096
"""Longest message of a peer that has proved itself: a rank's longest, and what its task puts around it."""

MAX_GREETING_BYTES = 1024
"""Longest message of a peer that has not: a nonce of 64 characters, or a rank and a proof of 64."""

HANDSHAKE_SECONDS = 10.0
"""A peer that has not proved itself by then is cut off, however it spreads its bytes."""

CONNECT_ATTEMPTS = 5
"""How often a task knocks at a driver that is crowded with peers that prove nothing."""

KEEPALIVE_SECONDS = 5
KEEPALIVE_PROBES = 3
"""A host that lost power or network closes no connection: after 5 s of silence it is asked every 5 s, and
three unanswered questions end the connection, so within 20 s. Who has something to send asks nothing, and
would send it again for a quarter of an hour (Linux); what stays unacknowledged for 20 s ends the connection
too. A peer that does not read counts as gone as well, so both ends always read (see
`training.launch.delivery`)."""

_READ_BYTES = 1 << 16

BUSY = {"type": "busy"}
"""Said to a peer that had to make room before it could prove itself."""

Message = dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """Where the driver listens and what a task needs to be let in."""

    host: str
    port: int
    token: str


class Connection:
    """One end of an established connection; `send` may be called from any thread.

    Attributes:
        broken: Why the connection ended, if the other side did not simply close it; else empty.
    """

    def __init__(self, connected: socket.socket) -> None:
        self.broken = ""
        self._socket = connected
        self._buffer = bytearray()
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

    def receive(self, limit: int, deadline: float | None = None) -> Message | None:
        """The next message; None if there is none, it is too long or no message, or time is up.

        Args:
            limit: Its longest length, in bytes.
            deadline: On the clock of `time.monotonic`; None to wait for as long as the connection stands.
        """
        line = self._read_line(limit, deadline)
        if line is None:
            return None
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            self.broken = f"it sent a line that is no message ({type(error).__name__})"
            return None
        if not isinstance(message, dict):
            self.broken = "it sent a line that is no message"
            return None
        return message

    def messages(self) -> Iterator[Message]:
        """Messages until the other side closes or breaks the protocol."""
        while (message := self.receive(MAX_LINE_BYTES)) is not None:
            yield message

    def close(self) -> None:
        """End the connection for both sides."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read_line(self, limit: int, deadline: float | None) -> bytes | None:
        scanned = 0
        while True:
            end = self._buffer.find(b"\n", scanned, limit)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                return line
            if len(self._buffer) >= limit:
                self.broken = f"it sent a message of more than {limit:,} bytes"
                return None
            scanned = len(self._buffer)
            try:
                if deadline is not None:
                    self._socket.settimeout(max(0.001, deadline - time.monotonic()))
                content = self._socket.recv(min(_READ_BYTES, limit - scanned))
            except OSError as error:
                if error.errno == errno.ETIMEDOUT:
                    self.broken = "its host or the network did not answer any more"
                return None
            if not content:
                return None
            self._buffer += content


def connect(endpoint: Endpoint, rank: int) -> Connection:
    """The task's end of the connection.

    Raises:
        ConnectionError: The driver cannot be reached or does not let this task in.
    """
    for attempt in range(CONNECT_ATTEMPTS):
        time.sleep(0.2 * attempt)
        connection = _connect_once(endpoint, rank)
        if connection is not None:
            return connection
    raise ConnectionError(
        f"the driver at {endpoint.host}:{endpoint.port} is crowded with connections that prove nothing; "
        f"see who on its network or host makes them"
    )


def _connect_once(endpoint: Endpoint, rank: int) -> Connection | None:
    """The connection, or None if the driver had no room."""
    connected = socket.create_connection((endpoint.host, endpoint.port), timeout=HANDSHAKE_SECONDS)
    deadline = time.monotonic() + HANDSHAKE_SECONDS
    keep_alive(connected)
    connection = Connection(connected)
    hello = connection.receive(MAX_GREETING_BYTES, deadline)
    if hello is not None and "nonce" in hello:
        connection.send({"rank": rank, "proof": prove(endpoint.token, str(hello["nonce"]), rank)})
        answer = connection.receive(MAX_GREETING_BYTES, deadline)
        if answer == {"type": "welcome"}:
            connected.settimeout(None)
            return connection
        hello = answer
    connection.close()
    if hello == BUSY:
        return None
    raise ConnectionError(f"the driver at {endpoint.host}:{endpoint.port} did not let rank {rank} in")


def keep_alive(connected: socket.socket) -> None:
    """Have the kernel notice a peer whose host or network is gone."""
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


def prove(token: str, nonce: str, rank: int) -> str:
    """What shows that a peer knows the token, for this nonce and rank only."""
    return hmac.new(token.encode(), f"{nonce}:{rank}".encode(), hashlib.sha256).hexdigest()
