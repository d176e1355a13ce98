"""Large files of lines in parts that tasks read side by side, with the same rows as in one piece.

A part has a range of bytes, and the lines that begin in it are its own, the last of them to its end, however
far that lies. To the reader a part looks like a file that begins with a blank line: the line feed before its
first line. Blank lines are no records, and the reader's rules for the first line of a file (byte order marks)
do not meet a line that is not. Offsets and line numbers are then those of the stream plus a constant.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from conf.data import IngestConfig
from pipelines.ingest.discover import InputFile
from pipelines.ingest.readers import READERS

_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or the lines of it that begin in a range of bytes.

    Attributes:
        file: The file.
        index: Its place among the parts of the file, from 0.
        start: First byte of the range.
        end: The byte behind it; None for the end of the file.
    """

    file: InputFile
    index: int = 0
    start: int = 0
    end: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole file."""
        return self.start == 0 and self.end is None

    @property
    def num_bytes(self) -> int:
        """Bytes that it has, about."""
        return (self.file.num_bytes if self.end is None else self.end) - self.start


def parts_of(file: InputFile, config: IngestConfig) -> Iterator[Part]:
    """The file in parts of `ingest.split_bytes`, or whole where it is small or its format has no lines.

    A file named as compressed stays whole, and one above `max_file_bytes`, which is refused.
    """
    reader = READERS.get(file.format)
    size, step = file.num_bytes, config.split_bytes
    can_be_split = reader is not None and reader.by_line(config) and file.compression == "none"
    if not can_be_split or not step < size <= config.max_file_bytes:
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
        self.offset = self._first(start)
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


def open_part(stream: BinaryIO, part: Part) -> tuple[PartStream, BinaryIO]:
    """The stream of a part, and the same buffered for a reader."""
    raw = PartStream(stream, part.start, part.end)
    return raw, cast(BinaryIO, io.BufferedReader(raw, _BLOCK))
