"""What a reader yields: documents and faults; and how a document's text is made safe and named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import xxhash

EXCERPT_CHARS = 200

# NUL cannot pass through C libraries and many databases; a lone surrogate cannot be written as UTF-8.
_NUL_OR_SURROGATE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Document:
    """One document as read.

    Attributes:
        offset: Byte offset of the record in the decompressed file.
        source_id: The id that the source gave it, as text.
        kind: 'docstring', 'topic', 'readme', 'page', 'record', 'pair', 'line', 'chat' or 'paragraph'.
        text: The text, free of NULs and lone surrogates.
        repaired: Whether such characters were removed from any of its texts.
        url: Address it was found at.
        target: The other side of a parallel pair.
        metadata: What else the source says of it.
        label: What a task is to learn of the text.
    """

    offset: int
    source_id: str | None
    kind: str
    text: str
    repaired: bool = False
    url: str | None = None
    target: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a record (or, raised in a `FileFault`, a whole file) could not be read.

    Attributes:
        offset: Byte offset in the decompressed file where the fault was met.
        reason: Short code, e.g. 'not_utf8'.
        detail: One sentence with the value met and the limit it broke.
        excerpt: Up to 200 characters from the place, unprintable ones escaped.
        line: Line number from 1, where the reader knows it.
        records: How many records it stands for, see `many_faults`.
    """

    offset: int
    reason: str
    detail: str
    excerpt: str = ""
    line: int | None = None
    records: int = 1


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in a file that was never meant to be a document, such as a WARC's request records.

    Attributes:
        what: What it is, one of few words that its reader has for it; `sources` counts them by it.
    """

    what: str


class FileFault(Exception):
    """A fault for which nothing of the file is kept; raised before its first document is yielded."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason, fault.detail)
        self.fault = fault


def document_id(source: str, offset: int, text: str, target: str | None = None) -> str:
    """The stable id of a document: XXH3-128 over source, offset, text and target, as 32 hex digits.

    They are joined by NUL bytes, which neither a path nor a repaired text contains, so that no two
    different documents are hashed as the same bytes.
    """
    parts = [source, str(offset), text, *([] if target is None else [target])]
    return xxhash.xxh3_128_hexdigest("\0".join(parts).encode())


def repair(text: str) -> tuple[str, bool]:
    """The text without NULs and with U+FFFD for each lone surrogate, and whether that changed it."""
    if "\x00" not in text:
        if text.isascii():
            return text, False
        # Encoding fails for surrogates alone, and is several times as fast as to search for them.
        try:
            text.encode()
        except UnicodeEncodeError:
            pass
        else:
            return text, False
    repaired, count = _NUL_OR_SURROGATE.subn(_substitute, text)
    return repaired, count > 0


def utf8_length(text: str) -> int:
    """Length of a text in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode())


def _substitute(match: re.Match[str]) -> str:
    return "" if match.group() == "\x00" else "�"


def excerpt(raw: bytes | str) -> str:
    """The beginning of `raw` in printable characters, at most `EXCERPT_CHARS` of them."""
    head = raw[:EXCERPT_CHARS]
    text = head.decode("utf-8", "backslashreplace") if isinstance(head, bytes) else head
    return "".join(map(_escape, text))[:EXCERPT_CHARS]


def _escape(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
