"""Gzip files of many members, each of which is believed once its own checksum holds.

A WARC file has one member a record, so that a cut or a damaged byte costs the records from there on and
not the thousands before. The file is decompressed twice, as others are: first to find how much of it can
be trusted, then for its records.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from conf.ingest import IngestConfig
from pipelines.files.decompress import expansion_fault
from pipelines.files.record import Fault, FileFault

_READ_BYTES = 2**18
_BLOCK = 2**20

GZIP_MAGIC = b"\x1f\x8b"


def open_members(stream: BinaryIO, config: IngestConfig) -> tuple[BinaryIO, Fault | None]:
    """The decompressed bytes of a gzip file's whole members, and what is wrong with the rest of it.

    Args:
        stream: The file as it is stored; a stream that is not gzip, or that has been decompressed already
            and cannot seek, is given back as it is.
        config: Limits on what may come out.

    Raises:
        FileFault: No member is whole, or more comes out than the limits allow.
    """
    if not stream.seekable():
        return stream, None
    if stream.read(len(GZIP_MAGIC)) != GZIP_MAGIC:
        stream.seek(0)
        return stream, None
    stored = stream.seek(0, 2)
    stream.seek(0)
    trusted = num_bytes = 0
    fault = None
    try:
        for block, is_end in _blocks(stream):
            num_bytes += len(block)
            excess = expansion_fault(stored, num_bytes, config.max_file_bytes, config.max_expansion)
            if excess is not None:
                raise FileFault(excess)
            if is_end:
                trusted = num_bytes
    except EOFError:
        detail = "the gzip stream ends before the end of its last member; nothing of that can be trusted"
        fault = Fault(trusted, "truncated", detail)
    except zlib.error as error:
        detail = f"a member of the gzip stream is damaged ({error}); nothing from there on can be trusted"
        fault = Fault(trusted, "corrupt", detail)
    if fault is not None and not trusted:
        raise FileFault(fault)
    stream.seek(0)
    return cast(BinaryIO, io.BufferedReader(_Members(stream, trusted), _BLOCK)), fault


class _Members(io.RawIOBase):
    """The first bytes of a gzip stream, decompressed."""

    def __init__(self, stream: BinaryIO, num_bytes: int) -> None:
        self._blocks = _blocks(stream)
        self._left = num_bytes
        self._block = memoryview(b"")

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fills a buffer as far as the next block goes; 0 at the end."""
        while self._left and not len(self._block):
            self._block = memoryview(next(self._blocks)[0])[: self._left]
        size = min(len(buffer), len(self._block))
        buffer[:size] = self._block[:size]
        self._block = self._block[size:]
        self._left -= size
        return size


def _blocks(stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Blocks of the decompressed bytes, and whether a member ends with each.

    Raises:
        EOFError: The stream ends inside a member.
        zlib.error: A member is damaged.
    """
    raw = b""
    while True:
        raw = raw or stream.read(_READ_BYTES)
        if not raw:
            return
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            block = member.decompress(raw, _BLOCK)
            raw = member.unconsumed_tail
            yield block, member.eof
            if not member.eof and not raw and not block:
                raw = stream.read(_READ_BYTES)
                if not raw:
                    raise EOFError
        raw = member.unused_data
