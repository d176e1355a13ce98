"""Large files of lines in parts that tasks read side by side, with the same rows as in one piece.

A part has a range of bytes, and the lines that begin in it are its own, the last of them to its end, however
far that lies. To the reader a part looks like a file that begins with a blank line: the line feed before its
first line. Blank lines are no records, and the reader's rules for the first line of a file (byte order marks)
do not meet a line that is not. Offsets and line numbers are then those of the stream plus a constant.

A compressed file has no place to begin at but its first byte, and tells its decompressed size at its end.
Each of its parts decompresses all of it once, as every compressed file is for its checksums, then what lies
before its own range once more; what costs most, parsing the records, is shared.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from conf.ingest import IngestConfig
from pipelines.ingest.discover import InputFile
from pipelines.ingest.readers import reader_of

_BLOCK = 2**20

_SPLIT_COMPRESSED = ("gzip", "zstd")
"""What decompresses many times faster (hundreds of MB a second) than records are parsed; bz2 does not."""

_STORED_PER_PART = 2
"""A compressed part has so many times `ingest.split_bytes` of stored bytes, three times as many of text."""

_MOST_COMPRESSED_PARTS = 8
"""Every part decompresses the file; with more of them that would soon be most of the work."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or the lines of it that begin in a range of bytes.

    Attributes:
        file: The file.
        index: Its place among the parts of the file, from 0.
        start: First byte of the range.
        end: The byte behind it; None for the end of the file.
        of: In how many parts a compressed file is read. Their ranges are equal shares of its decompressed
            bytes, which are known when it has been read to its end; start and end say nothing then.
    """

    file: InputFile
    index: int = 0
    start: int = 0
    end: int | None = None
    of: int = 1

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole file."""
        return self.start == 0 and self.end is None and self.of == 1

    @property
    def num_bytes(self) -> int:
        """Stored bytes that it has, about."""
        if self.of > 1:
            return self.file.num_bytes // self.of
        return (self.file.num_bytes if self.end is None else self.end) - self.start


def parts_of(file: InputFile, config: IngestConfig) -> Iterator[Part]:
    """The file in parts of `ingest.split_bytes`, or whole where it is small or its format has no lines.

    A file named as gzip or zstd has fewer and larger parts, one named as bz2 stays whole, and so does one
    above `max_file_bytes`, which is refused.
    """
    reader = reader_of(file.format)
    size, step = file.num_bytes, config.split_bytes
    can_be_split = reader is not None and reader.by_line(config) and size <= config.max_file_bytes
    if can_be_split and file.compression in _SPLIT_COMPRESSED:
        number = max(1, min(_MOST_COMPRESSED_PARTS, -(-size // (_STORED_PER_PART * step))))
        yield from (Part(file, index, of=number) for index in range(number))
        return
    if not can_be_split or file.compression != "none" or size <= step:
        yield Part(file)
        return
    starts = range(0, size, step)
    for index, start in enumerate(starts):
        yield Part(file, index, start, start + step if start + step < size else None)


class PartStream(io.RawIOBase):
    """The bytes of a part: from the line feed before its first line to that which ends its last line.

    Args:
        stream: The file's bytes, which can be sought.
        start: First byte of the range.
        end: The byte behind it; None for the end of the file.

    Attributes:
        offset: Where in the file the first byte of this stream lies.
        num_lines: Line feeds passed so far, that before the first line not counted.
    """

    def __init__(self, stream: BinaryIO, start: int, end: int | None) -> None:
        self._stream = stream
        self._end = end
        self.offset = self._first(start) if end is None or start < end else -1
        self._position = self.offset
        self._is_done = self.offset < 0
        self.num_lines = -1 if start and not self._is_done else 0
        if not self._is_done:
            stream.seek(self.offset)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes of the part."""
        view = memoryview(buffer).cast("B")
        if self._is_done:
            return 0
        block = self._stream.read(min(len(view), _BLOCK))
        # The line that holds the last byte of the range, or is ended by it, is the last one.
        if self._end is not None and self._position + len(block) >= self._end:
            found = block.find(b"\n", max(0, self._end - 1 - self._position))
            if found >= 0:
                block = block[: found + 1]
                self._is_done = True
        view[: len(block)] = block
        self._position += len(block)
        self.num_lines += block.count(b"\n")
        self._is_done = self._is_done or not block
        return len(block)

    def _first(self, start: int) -> int:
        """Where the line feed before the first line lies; -1 if no line begins in the range."""
        if start == 0:
            return 0
        self._stream.seek(start - 1)
        position = start - 1
        while self._end is None or position < self._end - 1:
            wanted = _BLOCK if self._end is None else min(_BLOCK, self._end - 1 - position)
            block = self._stream.read(wanted)
            if not block:
                break
            found = block.find(b"\n")
            if found >= 0:
                return position + found
            position += len(block)
        return -1


class _Forward:
    """A decompressed stream that can be sought forwards, and back to where its last block begins."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._block = b""
        self._start = 0
        self._position = 0

    def seek(self, offset: int) -> None:
        """Goes to an offset."""
        assert offset >= self._start, "only the last block is kept"
        while offset > self._start + len(self._block) and self._next():
            pass
        self._position = offset

    def read(self, size: int) -> bytes:
        """Some of the next bytes; none at the end."""
        if self._position >= self._start + len(self._block) and not self._next():
            return b""
        at = self._position - self._start
        found = self._block[at : at + size]
        self._position += len(found)
        return found

    def _next(self) -> bool:
        block = self._stream.read(_BLOCK)
        if not block:
            return False
        self._start += len(self._block)
        self._block = block
        return True


def open_part(stream: BinaryIO, part: Part, decompressed: int) -> tuple[PartStream, BinaryIO]:
    """The stream of a part, and the same buffered for a reader.

    Args:
        stream: The file's bytes; those of a compressed file decompressed, from the first on.
        part: The part.
        decompressed: How many bytes the whole file has.
    """
    if part.of > 1:
        # The first part must have the first byte, which may say what the file is.
        start, end = (decompressed * index // part.of for index in (part.index, part.index + 1))
        start, end = (
            (start, end) if decompressed >= part.of else (min(part.index, 1) * decompressed, decompressed)
        )
        raw = PartStream(cast(BinaryIO, _Forward(stream)), start, end)
    else:
        raw = PartStream(stream, part.start, part.end)
    return raw, cast(BinaryIO, io.BufferedReader(raw, _BLOCK))
