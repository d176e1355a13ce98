"""JSON Lines: one object a line with a text and what else the configuration names of its fields.

Read strictly (`strict_json`): UTF-8 must be valid, a key must not occur twice at any depth, the text must be
a string. Blank lines are no records.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from conf.ingest import IngestConfig
from pipelines.files.decompress import too_large
from pipelines.files.lines import Line, read_lines
from pipelines.files.record import Document, Fault, FileFault, excerpt
from pipelines.files.utf8 import decode, refuse_utf16
from pipelines.ingest.formats.fields import Place, json_type, to_document
from pipelines.ingest.formats.strict_json import DuplicateKey, parse, why_not

# A character of two UTF-8 bytes can be written as a six-byte escape, and other fields need room too.
_ESCAPE_FACTOR = 3
_OTHER_FIELDS_BYTES = 2**20

_BEFORE_FAULT_CHARS = 60

_NOT_LINES = re.compile(rb"\s*+(?:\[\s*+(?:\{|\Z)|\{\s*+\Z)")


def max_line_bytes(config: IngestConfig) -> int:
    """Longest line that is parsed: the longest text, written with escapes, and other fields."""
    return _ESCAPE_FACTOR * config.max_document_bytes + _OTHER_FIELDS_BYTES


Make = Callable[[Mapping[str, Any], Place, IngestConfig], Document | Fault]
"""Makes a document of a line's object, its place, and the section `ingest`."""


def read_jsonl(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """The documents of a JSONL stream, and a fault for each line that holds none.

    Raises:
        FileFault: The file is UTF-16 or UTF-32, or its first line begins an array of objects or an object of
            several lines.
    """
    return read_objects(stream, config, to_document)


def read_objects(stream: BinaryIO, config: IngestConfig, make: Make) -> Iterator[Document | Fault]:
    """What is made of the object of each line; raises as `read_jsonl` does."""
    is_first = True
    for line in read_lines(stream, max_line_bytes(config)):
        refuse_utf16(line)
        if is_first and line.content.strip():
            is_first = False
            _refuse_array(line)
        if line.is_too_long:
            limit, key = max_line_bytes(config), "max_document_bytes, x3 + 1 MiB"
            yield _at(line, too_large("line", line.offset, line.size, limit, key, line.content))
        elif line.content.strip():
            yield parse_line(line, config, make)


def _refuse_array(line: Line) -> None:
    """Refuses JSON that is not written a line an object, and says how to make lines of it."""
    if _NOT_LINES.match(line.content):
        detail = "the file is JSON of several lines or an array, not an object a line; make lines of it: "
        detail += "jq -c '.[]' FILE > FILE.jsonl for an array, jq -c . for objects"
        raise FileFault(
            Fault(line.offset, "not_json_lines", detail, excerpt(line.content[:1000]), line.number)
        )


def parse_line(line: Line, config: IngestConfig, make: Make = to_document) -> Document | Fault:
    """The document of one line that is not blank, or why there is none.

    Args:
        line: The line.
        config: The section `ingest`.
        make: Makes the document of the object that the line is.
    """
    text = decode(line.content, line.offset, line.number)
    if isinstance(text, Fault):
        return text
    try:
        record = parse(text)
    except (ValueError, DuplicateKey, RecursionError) as error:
        reason, detail, position = why_not(error)
        return _fault_in_line(line, text, position, reason, f"the line {detail}")
    if not isinstance(record, dict):
        detail = f"the line is a JSON {json_type(record)}, not an object"
        return _fault_in_line(line, text, 0, "not_an_object", detail)
    return make(record, Place(line.offset, line.number, text), config)


def _fault_in_line(line: Line, text: str, position: int, reason: str, detail: str) -> Fault:
    offset = line.offset + len(text[:position].encode())
    shown = excerpt(text[max(0, position - _BEFORE_FAULT_CHARS) :][:1000])
    return Fault(offset, reason, detail, shown, line.number)


def _at(line: Line, fault: Fault) -> Fault:
    return Fault(fault.offset, fault.reason, fault.detail, fault.excerpt, line.number)
