"""A line that is slow and loses packets: hands frames from one interface to another, later, or not at all.

Usage: python slow_line.py ONE OTHER DELAY_MS LOSS_PERCENT, in the network namespace of both interfaces. It
prints `@ready` and ends with its standard input. Kernels without netem have no such line of their own.
"""

from __future__ import annotations

import array
import fcntl
import heapq
import random
import selectors
import socket
import struct
import sys
import time

ETH_P_ALL = 3
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1
PACKET_OUTGOING = 4
SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x17
LARGEST = 1 << 17


def without_offload(interface: str) -> None:
    """The kernel fills in the checksums of frames before they are read here."""
    value = array.array("B", struct.pack("=II", ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP", interface.encode(), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, SIOCETHTOOL, request)


def opened(interface: str) -> socket.socket:
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    found.bind((interface, ETH_P_ALL))
    promiscuous = struct.pack("IHH8s", socket.if_nametoindex(interface), PACKET_MR_PROMISC, 0, b"")
    found.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, promiscuous)
    return found


def main(one: str, other: str, delay: float, loss: float) -> None:
    random.seed(1)
    sides = [opened(one), opened(other)]
    waiting: list[tuple[float, int, int, bytes]] = []
    number = 0
    with selectors.DefaultSelector() as ready:
        for side in (0, 1):
            ready.register(sides[side], selectors.EVENT_READ, side)
        ready.register(sys.stdin, selectors.EVENT_READ, None)
        print("@ready", flush=True)
        while True:
            pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            for key, _ in ready.select(pause):
                if key.data is None:
                    return
                frame, (_, _, kind, *_) = sides[key.data].recvfrom(LARGEST)
                if kind != PACKET_OUTGOING and random.random() >= loss:
                    number += 1
                    heapq.heappush(waiting, (time.monotonic() + delay, number, 1 - key.data, frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, side, frame = heapq.heappop(waiting)
                sides[side].send(frame)


if __name__ == "__main__":
    if sys.argv[1] == "--without-offload":
        without_offload(sys.argv[2])
    else:
        main(sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000, float(sys.argv[4]) / 100)
