"""Which interface the ranks talk over: loopback on one host, else the one that leads to the others."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

from training.errors import TrainingError

LOOPBACK = "127.0.0.1"

Listener = TypeVar("Listener")


def listen(
    address: str, ports: tuple[int, int] | None, bind: Callable[[int], Listener], name: str = "train.ports"
) -> Listener:
    """Listen on the first free port of a range.

    Args:
        address: Where, for the message.
        ports: First and last port; None: any, by the system's choice.
        bind: Listens on a port, or raises OSError if it is taken.
        name: What the caller calls the range.

    Raises:
        TrainingError: All ports of the range are taken.
    """
    if ports is None:
        return bind(0)
    for port in range(ports[0], ports[1] + 1):
        try:
            return bind(port)
        except OSError as error:
            last = error
    raise TrainingError(
        f"{socket.gethostname()} has no free port in {name} = {ports[0]}-{ports[1]} on {address}: "
        f"{last}; give a wider range (a job takes one port on the driver and one at rank 0), or leave it out"
    )


_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What `accept` says where descriptors or memory have run out, for a while."""

EXHAUSTED_SECONDS = 0.1
"""Pause before the next try: the connection that could not be taken is still in the queue."""


class Strangers:
    """The connections of a listener that have not proved anything yet; the oldest makes room for a new one.

    Args:
        limit: Most of them at a time.
        turn_away: Ends a connection that must make room.
    """

    def __init__(self, limit: int, turn_away: Callable[[socket.socket], None]) -> None:
        self.limit = limit
        self._turn_away = turn_away
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._closed = False

    def add(self, connected: socket.socket) -> None:
        """Take in a connection, and turn away those that must go for it."""
        with self._lock:
            if self._closed:
                crowded = [connected]
            else:
                self._open[connected] = time.monotonic()
                crowded = [self._pop_oldest() for _ in range(len(self._open) - self.limit)]
        for one in crowded:
            self._turn_away(one)

    def discard(self, connected: socket.socket) -> bool:
        """It is no stranger any more, or has gone; False if it had to make room before."""
        with self._lock:
            return self._open.pop(connected, None) is not None

    def older_than(self, moment: float) -> list[socket.socket]:
        """Those that came before a moment of `time.monotonic`."""
        with self._lock:
            return [connected for connected, since in self._open.items() if since < moment]

    def shed(self) -> None:
        """Turn away all that are there now, to get descriptors back."""
        with self._lock:
            crowded = list(self._open)
            self._open.clear()
        for one in crowded:
            self._turn_away(one)

    def close(self) -> None:
        """Close all, those still to come included."""
        with self._lock:
            self._closed = True
        self.shed()

    def _pop_oldest(self) -> socket.socket:
        oldest = next(iter(self._open))
        del self._open[oldest]
        return oldest


def accept(
    listener: socket.socket, strangers: Strangers, is_closed: Callable[[], bool]
) -> socket.socket | None:
    """The next connection; None once the listener is closed.

    Where the process has no descriptor left, the strangers make room, and it is tried again.
    """
    while not is_closed():
        try:
            return listener.accept()[0]
        except OSError as error:
            if is_closed() or error.errno in {errno.EBADF, errno.EINVAL, errno.ENOTSOCK}:
                return None
            if error.errno in _EXHAUSTED:
                strangers.shed()
            # Else the peer went before it was taken, or its network did: the next one counts.
            time.sleep(EXHAUSTED_SECONDS)
    return None


def end(connected: socket.socket) -> None:
    """End a connection for both sides; the thread that serves it wakes up, and closes it.

    Closed here, its descriptor could be another connection's before that thread has noticed.
    """
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def is_of_other_user(client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Whether a connection over loopback comes from a process of another user (Linux), or may do so.

    Args:
        client: Address and port that it comes from.
        server: Address and port that it goes to.
    """
    if not client[0].startswith("127."):
        return False
    try:
        rows = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    except FileNotFoundError:
        return False
    except OSError:
        # No descriptor is left, as a crowd can bring about: who cannot be told apart stays out.
        return True
    ends = [_as_kernel_writes(*client), _as_kernel_writes(*server)]
    for row in rows:
        fields = row.split()
        if fields[1:3] == ends:
            # A socket that its process has closed is nobody's any more: such a peer waits for no answer.
            return fields[3] != _ESTABLISHED or int(fields[7]) != os.getuid()
    return True


_ESTABLISHED = "01"


def _as_kernel_writes(address: str, port: int) -> str:
    number = int.from_bytes(socket.inet_aton(address), sys.byteorder)
    return f"{number:08X}:{port:04X}"


def interface_of(address: str) -> str:
    """Name of this host's network interface that has an IPv4 address.

    Raises:
        TrainingError: No interface has it.
    """
    known = _addresses()
    for name, value in known:
        if value == address:
            return name
    raise TrainingError(
        f"no network interface of {socket.gethostname()} has the address {address}; "
        f"it has {', '.join(f'{name}={value}' for name, value in known)}"
    )


def address_of(interface: str) -> str:
    """IPv4 address of one of this host's network interfaces.

    Raises:
        TrainingError: There is no such interface, or it has no IPv4 address.
    """
    known = _addresses()
    for name, value in known:
        if name == interface:
            return value
    raise TrainingError(
        f"{socket.gethostname()} has no network interface {interface!r} with an IPv4 address; "
        f"it has {', '.join(sorted({name for name, _ in known}))}"
    )


def address_towards(host: str) -> str:
    """This host's own address on the way to another host; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))
        return str(probe.getsockname()[0])


def _addresses() -> list[tuple[str, str]]:
    return [
        (name, entry.address)
        for name, entries in psutil.net_if_addrs().items()
        for entry in entries
        if entry.family == socket.AF_INET
    ]
