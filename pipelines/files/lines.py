"""Lines of a byte stream in bounded memory: one that is too long is measured, not held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

BOM = b"\xef\xbb\xbf"

_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its line break.

    Attributes:
        number: Line number from 1.
        offset: Byte offset of its first byte.
        content: Its bytes; only the first ones if it is too long.
        line_break: What ended it: LF, CR LF, or nothing at the end of the file.
        size: Its length in bytes, line break not counted.
        is_too_long: Whether it passes the limit.
    """

    number: int
    offset: int
    content: bytes
    line_break: bytes
    size: int
    is_too_long: bool


def read_lines(
    stream: BinaryIO, max_bytes: int, watch: Callable[[bytes], None] | None = None
) -> Iterator[Line]:
    """Every line of a stream; LF, with any CRs before it, ends a line.

    A byte order mark at the beginning is skipped.

    Args:
        stream: A buffered stream.
        max_bytes: Longest line in bytes that is held in memory.
        watch: Is given every piece of a line that is too long, before the line itself comes.
    """
    number = 0
    offset = 0
    # One byte more for the line feed and one for a carriage return before it.
    while raw := stream.readline(max_bytes + 2):
        number += 1
        start, size = offset, len(raw)
        offset += size
        if not raw.endswith(b"\n") and size == max_bytes + 2:
            if watch is not None:
                watch(raw)
            rest, line_break = _skip_line(stream, watch)
            offset += rest + len(line_break)
            yield Line(number, start, raw[:1000], line_break, size + rest, is_too_long=True)
            continue
        content = raw.removesuffix(b"\n").rstrip(b"\r")
        line_break = raw[len(content) :]
        if watch is not None and len(content) > max_bytes:
            watch(raw)
        if number == 1 and content.startswith(BOM):
            content = content.removeprefix(BOM)
            start += len(BOM)
        yield Line(number, start, content, line_break, len(content), is_too_long=len(content) > max_bytes)


def _skip_line(stream: BinaryIO, watch: Callable[[bytes], None] | None) -> tuple[int, bytes]:
    skipped = 0
    while block := stream.readline(_BLOCK):
        if watch is not None:
            watch(block)
        if block.endswith(b"\n"):
            return skipped + len(block) - 1, b"\n"
        skipped += len(block)
    return skipped, b""
