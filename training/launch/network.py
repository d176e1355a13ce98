"""Which interface the ranks talk over: loopback on one host, else the one that leads to the others."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TypeVar

import psutil

from training.errors import TrainingError

LOOPBACK = "127.0.0.1"

Listener = TypeVar("Listener")


def listen(address: str, ports: tuple[int, int] | None, bind: Callable[[int], Listener]) -> Listener:
    """Listen on the first free port of a range.

    Args:
        address: Where, for the message.
        ports: First and last port; None: any, by the system's choice.
        bind: Listens on a port, or raises OSError if it is taken.

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
        f"{socket.gethostname()} has no free port in train.ports = {ports[0]}-{ports[1]} on {address}: "
        f"{last}; give a wider range (a job takes one port on the driver and one at rank 0), or leave it out"
    )


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
