"""Plain text: a document is a line, a paragraph or the file, as `ingest.text_unit` says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from conf.ingest import IngestConfig
from pipelines.files.decompress import too_large
from pipelines.files.lines import BOM, Line, read_lines
from pipelines.files.record import Document, Fault, FileFault, excerpt, repair
from pipelines.files.utf8 import decode, refuse_utf16
from pipelines.ingest.formats.fields import blank
from pipelines.text.blank import is_blank

# The look-behind keeps it linear on long runs of carriage returns.
_CR_BEFORE_BREAK = re.compile(r"(?<!\r)\r+(?=\n|\Z)")


def read_text(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """The documents of a plain text stream; line breaks become LF, blank units are no records.

    Raises:
        FileFault: The file is UTF-16 or UTF-32; or it is one document, which cannot be read.
    """
    return _UNITS[config.text_unit](stream, config)


def _read_each_line(stream: BinaryIO, config: IngestConfig) -> Iterator[Document | Fault]:
    for line in read_lines(stream, config.max_document_bytes):
        refuse_utf16(line)
        if line.is_too_long:
            yield _too_large("line", line, line.size, config)
        elif line.content.strip():
            yield _document(line.content, line.offset, line.number)


def _read_paragraphs(stream: BinaryIO, config: IngestConfig) -> Iterator[Document | Fault]:
    """Paragraphs are parted by blank lines; of one that is too large only the first line is held."""
    first: Line | None = None
    content = bytearray()
    size = 0

    def finish() -> Iterator[Document | Fault]:
        if first is None:
            return
        if size > config.max_document_bytes:
            yield _too_large("paragraph", first, size, config)
        else:
            yield _document(bytes(content), first.offset, first.number)

    for line in read_lines(stream, config.max_document_bytes):
        refuse_utf16(line)
        if not line.is_too_long and not line.content.strip():
            yield from finish()
            first = None
            continue
        if first is None:
            first, size = line, line.size
            content.clear()
        else:
            size += line.size + 1
        if size <= config.max_document_bytes:
            content += line.content + line.line_break
    yield from finish()


def _read_whole(stream: BinaryIO, config: IngestConfig) -> Iterator[Document | Fault]:
    limit = config.max_document_bytes
    raw = stream.read(limit + len(BOM) + 1)
    content = raw.removeprefix(BOM)
    offset = len(raw) - len(content)
    first = Line(1, offset, content, b"", len(content), is_too_long=len(content) > limit)
    refuse_utf16(first)
    if first.is_too_long:
        raise FileFault(too_large("file", offset, None, limit, "max_document_bytes", content))
    if content.strip():
        found = _document(content, offset, 1)
        if isinstance(found, Fault):
            raise FileFault(found)
        yield found


_UNITS: dict[str, Callable[[BinaryIO, IngestConfig], Iterator[Document | Fault]]] = {
    "line": _read_each_line,
    "paragraph": _read_paragraphs,
    "file": _read_whole,
}


def _document(content: bytes, offset: int, number: int) -> Document | Fault:
    text = decode(content, offset, number)
    if isinstance(text, Fault):
        return text
    repaired, changed = repair(_CR_BEFORE_BREAK.sub("", text).removesuffix("\n"))
    if is_blank(repaired):
        detail = "all of it is white space and characters that show nothing"
        return Fault(offset, blank("text"), detail, excerpt(repaired[:1000]), number)
    return Document(offset, None, "line", repaired, changed)


def _too_large(what: str, line: Line, size: int, config: IngestConfig) -> Fault:
    fault = too_large(what, line.offset, size, config.max_document_bytes, "max_document_bytes", line.content)
    return Fault(fault.offset, fault.reason, fault.detail, fault.excerpt, line.number)
