"""Whole messages through one pipe, whoever writes: threads, forked children, signal handlers.

A write of at most PIPE_BUF bytes to a pipe is never mixed with another (POSIX, `write`). So a message goes
out in pieces of that size, each with the message's own number, and the reader puts them together. No lock is
taken: one that is held while the process forks would never be free again in the child.
"""

from __future__ import annotations

import os
import select
import struct
from collections.abc import Iterator

MAX_MESSAGE_BYTES = 16 << 20
"""Longest message of a rank: far above what progress needs, and what a driver can hold for every rank."""

MAX_UNFINISHED_BYTES = 4 * MAX_MESSAGE_BYTES
"""Of messages that have begun; a child that was killed in the middle of one leaves its part behind."""

_HEAD = struct.Struct(">8sH?")
_ROOM = select.PIPE_BUF - _HEAD.size


def write_message(descriptor: int, content: bytes) -> None:
    """Write a message to a pipe.

    Raises:
        OSError: The pipe is closed.
    """
    number = os.urandom(8)
    for start in range(0, max(1, len(content)), _ROOM):
        part = content[start : start + _ROOM]
        _write_piece(descriptor, _HEAD.pack(number, len(part), start + _ROOM >= len(content)) + part)


def _write_piece(descriptor: int, piece: bytes) -> None:
    while True:
        try:
            os.write(descriptor, piece)
            return
        except BlockingIOError:
            # Somebody made the pipe non-blocking; such a write takes all of a piece or nothing.
            ready = select.poll()
            ready.register(descriptor, select.POLLOUT)
            ready.poll()


class Reassembly:
    """Puts messages together from what comes out of the pipe.

    Attributes:
        num_lost: Messages that were given up because their writers ended in the middle.
    """

    def __init__(self) -> None:
        self.num_lost = 0
        self._buffer = bytearray()
        self._begun: dict[bytes, bytearray] = {}
        self._size = 0

    def feed(self, content: bytes) -> Iterator[bytes]:
        """Take the next bytes of the pipe; yields the messages that they complete."""
        self._buffer += content
        while len(self._buffer) >= _HEAD.size:
            number, length, is_last = _HEAD.unpack_from(self._buffer)
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            message = self._begun.setdefault(number, bytearray())
            message += self._buffer[_HEAD.size : end]
            self._size += length
            del self._buffer[:end]
            if is_last:
                self._size -= len(self._begun.pop(number))
                yield bytes(message)
            while self._size > MAX_UNFINISHED_BYTES:
                self._size -= len(self._begun.pop(next(iter(self._begun))))
                self.num_lost += 1
