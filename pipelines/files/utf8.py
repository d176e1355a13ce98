"""Strict UTF-8: a byte that is wrong is a fault with its place, never a guess."""

from __future__ import annotations

import codecs

from pipelines.files.lines import Line
from pipelines.files.record import Fault, FileFault, excerpt

# UTF-32's little-endian mark begins with UTF-16's, its big-endian one with two NULs that text may have.
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_BEFORE_FAULT_BYTES = 40


def decode(raw: bytes, offset: int, line: int) -> str | Fault:
    """The text of UTF-8 bytes, or a fault at the first byte that is not UTF-8.

    Args:
        raw: The bytes.
        offset: Their place in the file.
        line: The line number of their first byte.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        bad = raw[error.start : error.end].hex(" ")
        detail = f"the bytes {bad} are not UTF-8 ({error.reason})"
        shown = excerpt(raw[max(0, error.start - _BEFORE_FAULT_BYTES) :][:1000])
        return Fault(offset + error.start, "not_utf8", detail, shown, line + raw.count(b"\n", 0, error.start))


def refuse_utf16(line: Line) -> None:
    """Refuses a whole file that is UTF-16 or UTF-32, of which single lines could pass for ASCII with NULs.

    Raises:
        FileFault: The first line begins with such a byte order mark.
    """
    if line.number == 1 and line.content.startswith(_UTF16_MARKS):
        detail = "the file begins with a UTF-16 or UTF-32 byte order mark; convert it to UTF-8"
        raise FileFault(Fault(0, "not_utf8", detail, excerpt(line.content[:1000]), 1))
