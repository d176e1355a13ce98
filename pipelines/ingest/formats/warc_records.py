"""The records of a WARC file, framed so that a wrong length costs the record that has it and no other.

Lenient readers look for the next record after a fault and give the faulty one, cut short, without a
word. Here a record counts only if its block has the length it states and behind it stands the next record,
or the file ends; the search for the next record then begins inside the faulty block, which may have
swallowed it.
Format: ISO 28500:2017 (WARC 1.1), sections 4 and 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pipelines.files.record import Fault, FileFault, excerpt

# The drafts from 0.12 on have the same header and block.
_VERSION = re.compile(rb"WARC/(?:1\.[0-9]|0\.[0-9]{1,2})[ \t]*\r?\n")
_LENGTH = re.compile(r"[0-9]{1,15}")

_VERSION_START = b"WARC/"

_END_OF_RECORD = b"\r\n\r\n"

# Two CR LF end a record; writers also leave some of them out, or write more or bare line feeds.
_LINE_BREAKS = b"\r\n"
_BEHIND_BYTES = 9
_MAX_BEHIND_BYTES = 2**12

_MAX_LINE_BYTES = 2**16
_MAX_HEADER_BYTES = 2**18

_SKIP_BYTES = 2**20

# What is kept of a block that is too large: enough for its HTTP headers.
_HEAD_BYTES = 2**16

# Files of nothing but wrong lengths would be searched again and again; beyond so many blocks of the
# largest size, the search goes on behind the block instead of inside it.
_MAX_RESCANS = 64


@dataclass(frozen=True, slots=True)
class WarcRecord:
    """One record.

    Attributes:
        offset: Byte offset of its first byte in the decompressed file.
        headers: Its header fields, names in lower case; of one that occurs twice the first value.
        header: The header's bytes, version line and final blank line included.
        block: Its block; only the first bytes if that is too large.
        size: Size of its block in bytes.
    """

    offset: int
    headers: dict[str, str]
    header: bytes
    block: bytes
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether the block is there to its end."""
        return len(self.block) == self.size


def read_records(stream: BinaryIO, max_block_bytes: int) -> Iterator[WarcRecord | Fault]:
    """Every record of an uncompressed WARC stream, and a fault for each that cannot be read.

    Raises:
        FileFault: The stream does not begin with a WARC record.
    """
    source = _Source(stream)
    rescans_left = _MAX_RESCANS * max_block_bytes
    is_first = True
    while True:
        start = source.position
        line = source.readline()
        if not line:
            return
        if not line.strip(b"\r\n"):
            continue
        if not _VERSION.fullmatch(line):
            fault = Fault(start, "bad_warc", "no WARC record begins here", excerpt(line[:1000]))
            if is_first:
                raise FileFault(fault)
            _find_next(source)
            yield fault
            continue
        is_first = False
        header = _read_header(source, start, line)
        if isinstance(header, Fault):
            _find_next(source)
            yield header
            continue
        raw, headers = header
        size = int(headers["content-length"])
        block = source.read(min(size, max_block_bytes))
        if size > max_block_bytes:
            missing = size - len(block) - source.skip(size - len(block))
            block = block[:_HEAD_BYTES]
        else:
            missing = size - len(block)
        behind = source.read(_BEHIND_BYTES)
        if len(behind) == _BEHIND_BYTES and len(behind.lstrip(_LINE_BREAKS)) < len(_VERSION_START):
            behind += source.read(_MAX_BEHIND_BYTES)
        if not missing and _is_end(block, behind):
            yield WarcRecord(start, headers, raw, block, size)
            source.push(behind.lstrip(_LINE_BREAKS))
            continue
        if missing:
            detail = f"the file ends {missing:,} bytes before the end of a block of {size:,} bytes"
            fault = Fault(start, "truncated", detail, excerpt(raw[:1000]))
        else:
            detail = f"no record ends behind its {size:,} bytes: its Content-Length is wrong"
            fault = Fault(start, "bad_length", detail, excerpt(raw[:1000]))
        if size > max_block_bytes or size > rescans_left:
            source.push(behind)
        else:
            rescans_left -= size
            source.push(block + behind)
        _find_next(source)
        yield fault


def _is_end(block: bytes, behind: bytes) -> bool:
    """Whether a block ends in front of these bytes: line breaks, then the next record or the end of the file.

    Line breaks alone do not tell: a length that is too large may lead to the end of the header of the next
    record, which looks the same. Where the file is cut in the first word of the next record, what is left of
    that word tells.
    """
    following = behind.lstrip(_LINE_BREAKS)
    breaks = behind[: len(behind) - len(following)]
    if not breaks.startswith(_END_OF_RECORD) and (block[-4:] + breaks).endswith(_END_OF_RECORD) and following:
        return False  # the end is as it should be, but some of it lies inside the stated length
    return following.startswith(_VERSION_START) or _VERSION_START.startswith(following)


def _read_header(source: _Source, start: int, version: bytes) -> tuple[bytes, dict[str, str]] | Fault:
    """The header's bytes and its fields; a fault if it is cut, too large, or states no length."""
    raw = bytearray(version)
    headers: dict[str, str] = {}
    name = ""
    while True:
        line = source.readline()
        raw += line
        if not line.endswith(b"\n"):
            reason = "bad_warc" if len(line) >= _MAX_LINE_BYTES else "truncated"
            detail = f"its header is cut or has a line of more than {_MAX_LINE_BYTES:,} bytes"
            return Fault(start, reason, detail, excerpt(bytes(raw[:1000])))
        text = line.decode("utf-8", "replace")
        if not text.strip("\r\n"):
            break
        if len(raw) > _MAX_HEADER_BYTES:
            detail = f"its header has more than {_MAX_HEADER_BYTES:,} bytes"
            return Fault(start, "bad_warc", detail, excerpt(bytes(raw[:1000])))
        if text[0] in " \t" and name:
            headers[name] += " " + text.strip()
            continue
        key, colon, value = text.partition(":")
        name = key.strip().lower()
        if not colon:
            detail = f"a line of its header has no colon: {text.strip()!r:.80}"
            return Fault(start, "bad_warc", detail, excerpt(bytes(raw[:1000])))
        headers.setdefault(name, value.strip())
    if not _LENGTH.fullmatch(headers.get("content-length", "")):
        detail = f"its Content-Length is {headers.get('content-length')!r:.80}, not a number of bytes"
        return Fault(start, "bad_length", detail, excerpt(bytes(raw[:1000])))
    return bytes(raw), headers


def _find_next(source: _Source) -> None:
    """Moves to the next version line, or to the end."""
    while line := source.readline():
        if _VERSION.fullmatch(line):
            source.push(line)
            return


class _Source:
    """A stream that bytes can be put back into."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._pushed = b""
        self._start = 0
        self.position = 0

    def read(self, num_bytes: int) -> bytes:
        """Up to so many bytes; fewer only at the end."""
        found = self._take(num_bytes)
        if len(found) < num_bytes:
            found += self._stream.read(num_bytes - len(found))
        self.position += len(found)
        return found

    def readline(self) -> bytes:
        """A line with its line feed, or as much of it as a line may have."""
        end = self._pushed.find(b"\n", self._start, self._start + _MAX_LINE_BYTES)
        whole = end >= 0
        found = self._take(end + 1 - self._start if whole else _MAX_LINE_BYTES)
        if not whole and len(found) < _MAX_LINE_BYTES:
            found += self._stream.readline(_MAX_LINE_BYTES - len(found))
        self.position += len(found)
        return found

    def skip(self, num_bytes: int) -> int:
        """Passes up to so many bytes; returns how many there were."""
        passed = 0
        while passed < num_bytes and (block := self.read(min(_SKIP_BYTES, num_bytes - passed))):
            passed += len(block)
        return passed

    def push(self, raw: bytes) -> None:
        """Puts bytes back, to be read next."""
        self.position -= len(raw)
        if self._start >= len(raw) and self._pushed.startswith(raw, self._start - len(raw)):
            self._start -= len(raw)
            return
        self._pushed = raw + self._pushed[self._start :]
        self._start = 0

    def _take(self, num_bytes: int) -> bytes:
        found = self._pushed[self._start : self._start + num_bytes]
        self._start += len(found)
        return found
