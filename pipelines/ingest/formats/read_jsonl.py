"""JSON Lines: one object a line with a text and what else the configuration names of its fields.

Read strictly, because a lenient parser keeps rows that mean something else than their author wrote:
UTF-8 must be valid, a key must not occur twice at any depth, the text must be a string. Blank lines are
no records. NaN and Infinity pass, although JSON proper lacks them: Python and many others write them for
missing numbers, and they cannot change the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from conf.ingest import IngestConfig
from pipelines.files.decompress import too_large
from pipelines.files.lines import Line, read_lines
from pipelines.files.record import Document, Fault, FileFault, excerpt
from pipelines.files.utf8 import decode, refuse_utf16
from pipelines.ingest.formats.fields import Place, json_type, to_document

# A character of two UTF-8 bytes can be written as a six-byte escape, and other fields need room too.
_ESCAPE_FACTOR = 3
_OTHER_FIELDS_BYTES = 2**20

_BEFORE_FAULT_CHARS = 60

_NOT_LINES = re.compile(rb"\s*+(?:\[\s*+(?:\{|\Z)|\{\s*+\Z)")


def max_line_bytes(config: IngestConfig) -> int:
    """Longest line that is parsed: the longest text, written with escapes, and other fields."""
    return _ESCAPE_FACTOR * config.max_document_bytes + _OTHER_FIELDS_BYTES


def read_jsonl(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """The documents of a JSONL stream, and a fault for each line that holds none.

    Raises:
        FileFault: The file is UTF-16 or UTF-32, or its first line begins an array of objects or an object of
            several lines.
    """
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
            yield parse_line(line, config)


def _refuse_array(line: Line) -> None:
    """Refuses JSON that is not written a line an object, and says how to make lines of it."""
    if _NOT_LINES.match(line.content):
        detail = "the file is JSON of several lines or an array, not an object a line; make lines of it: "
        detail += "jq -c '.[]' FILE > FILE.jsonl for an array, jq -c . for objects"
        raise FileFault(
            Fault(line.offset, "not_json_lines", detail, excerpt(line.content[:1000]), line.number)
        )


def parse_line(line: Line, config: IngestConfig) -> Document | Fault:
    """The document of one line that is not blank, or why there is none."""
    text = decode(line.content, line.offset, line.number)
    if isinstance(text, Fault):
        return text
    try:
        record = _parse(text)
    except json.JSONDecodeError as error:
        return _fault_in_line(line, text, error.pos, "bad_json", f"the line is not valid JSON: {error.msg}")
    except _DuplicateKey as error:
        detail = f"the key {error.args[0]!r:.80} occurs twice in an object; nobody can know which is meant"
        return _fault_in_line(line, text, 0, "duplicate_key", detail)
    except RecursionError:
        return _fault_in_line(line, text, 0, "too_deep", "it is nested too deeply to be parsed")
    except ValueError as error:
        # Python refuses to convert integers of thousands of digits, which takes quadratic time.
        return _fault_in_line(line, text, 0, "bad_json", f"the line holds an unusable number: {error}")
    if not isinstance(record, dict):
        detail = f"the line is a JSON {json_type(record)}, not an object"
        return _fault_in_line(line, text, 0, "not_an_object", detail)
    return to_document(record, Place(line.offset, line.number, text), config)


def _parse(text: str) -> Any:
    """What `_DECODER.decode` gives, or raises; a value without white space around it sooner."""
    try:
        value, end = _SCAN(text, 0)
    except StopIteration:
        return _DECODER.decode(text)
    return value if end == len(text) else _DECODER.decode(text)


class _DuplicateKey(Exception):
    """A JSON object has a key twice."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return mapping


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys)
_SCAN: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]


def _fault_in_line(line: Line, text: str, position: int, reason: str, detail: str) -> Fault:
    offset = line.offset + len(text[:position].encode())
    shown = excerpt(text[max(0, position - _BEFORE_FAULT_CHARS) :][:1000])
    return Fault(offset, reason, detail, shown, line.number)


def _at(line: Line, fault: Fault) -> Fault:
    return Fault(fault.offset, fault.reason, fault.detail, fault.excerpt, line.number)
