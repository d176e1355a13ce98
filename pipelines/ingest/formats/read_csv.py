"""CSV and TSV: one record a line, or several lines where a quoted field holds line breaks.

Read strictly (RFC 4180): every record has as many fields as the header, or as the first line has; a
quote opens a field at its beginning only, and behind the quote that closes it comes a delimiter or the
end of the line. What breaks this is a fault with its line number; no row is padded, cut or shifted. An
empty field is null, because neither format can tell the two apart. In TSV, and in CSV with
`ingest.quoting` none, a quote is a character like any other and a record is a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import BinaryIO

from conf.ingest import IngestConfig
from pipelines.files.decompress import too_large
from pipelines.files.lines import Line, read_lines
from pipelines.files.record import Document, Fault, FileFault
from pipelines.files.utf8 import decode, refuse_utf16
from pipelines.ingest.formats.fields import Place, fault_at, missing, to_document
from pipelines.ingest.formats.read_jsonl import max_line_bytes

# The possessive quantifiers keep both linear on any bytes.
_UP_TO_CLOSING_QUOTE = re.compile(rb'(?:[^"]++|"")*+"')


@cache
def _unquoted(delimiter: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"[^" + re.escape(delimiter) + rb"]*+")


def read_csv(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """The documents of comma separated values, and a fault for each record that holds none.

    Raises:
        FileFault: The file is UTF-16, its header cannot be read, or it has no column of the text.
    """
    return _read(stream, config, (config.delimiter or ",").encode(), is_quoted=config.quoting != "none")


def read_tsv(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """The same for tab separated values, where quotes mean nothing unless `ingest.quoting` is double."""
    return _read(stream, config, (config.delimiter or "\t").encode(), is_quoted=config.quoting == "double")


@dataclass(slots=True)
class _Record:
    """The fields of a record so far.

    Attributes:
        first: Its first line.
        fields: The whole fields.
        open_field: The lines of a quoted field that no quote has closed yet; None outside one.
        num_bytes: How many bytes of it were read.
        num_lines: How many lines of it were read.
    """

    first: Line
    fields: list[bytes] = field(default_factory=list)
    open_field: list[bytes] | None = None
    num_bytes: int = 0
    num_lines: int = 0

    @property
    def place(self) -> Place:
        return Place(self.first.offset, self.first.number, self.first.content)


def _read(
    stream: BinaryIO, config: IngestConfig, delimiter: bytes, *, is_quoted: bool
) -> Iterator[Document | Fault]:
    names: Sequence[str] | None = None
    if config.columns:
        names = config.columns
        _check_names(names, Place(0, None, b""), config)
    for found in _records(stream, delimiter, max_line_bytes(config), is_quoted=is_quoted):
        if names is None:
            if isinstance(found, Fault):
                raise FileFault(found)
            fields = _decoded(found)
            if isinstance(fields, Fault):
                raise FileFault(fields)
            names = fields if config.header else [str(number + 1) for number in range(len(fields))]
            _check_names(names, found.place, config)
            if config.header:
                continue
        yield found if isinstance(found, Fault) else _document(found, names, config)


def _check_names(names: Sequence[str], place: Place, config: IngestConfig) -> None:
    wanted = {"text": config.text_field, "target": config.target_field, "label": config.label_field}
    others = (config.id_field, config.url_field, *config.metadata_fields)
    for name in (*wanted.values(), *others):
        if name is not None and list(names).count(name) > 1:
            detail = f"the header has the column {name!r} twice; nobody can know which is meant"
            raise FileFault(fault_at(place, "duplicate_key", detail))
    for side, name in wanted.items():
        if name is not None and _index(names, name) is None:
            shown = ", ".join(map(repr, names))
            detail = f"there is no column {name!r} (ingest.{side}_field); there are {shown:.300}"
            detail += _other_delimiter(names)
            raise FileFault(fault_at(place, missing(side), detail))


def _other_delimiter(names: Sequence[str]) -> str:
    """A hint where the columns seem to be parted by another character."""
    parts = {mark: sum(name.count(mark) for name in names) for mark in ";|\t,"}
    mark = max(parts, key=lambda mark: parts[mark])
    return f"; {mark!r} seems to part them: set ingest.delimiter" if parts[mark] else ""


def _index(names: Sequence[str], name: str) -> int | None:
    """The place of a column, called by its name or else by its number from 1."""
    if name in names:
        return list(names).index(name)
    if name.isascii() and name.isdecimal() and len(name) < 6 and 1 <= int(name) <= len(names):
        return int(name) - 1
    return None


def _document(record: _Record, names: Sequence[str], config: IngestConfig) -> Document | Fault:
    if len(record.fields) != len(names):
        detail = f"the record has {len(record.fields):,} fields, the file has {len(names):,} columns"
        return fault_at(record.place, "bad_columns", detail)
    fields = _decoded(record)
    if isinstance(fields, Fault):
        return fields
    wanted = (config.text_field, config.target_field, config.label_field, config.id_field, config.url_field)
    values: dict[str, str | None] = {}
    for name in (*wanted, *config.metadata_fields):
        index = None if name is None else _index(names, name)
        if name is not None and index is not None:
            values[name] = fields[index] or None
    return to_document(values, record.place, config)


def _decoded(record: _Record) -> list[str] | Fault:
    texts: list[str] = []
    for raw in record.fields:
        text = decode(raw, record.first.offset, record.first.number)
        if isinstance(text, Fault):
            # Unescaping moves bytes, so that the record's own place is the truth that can be told.
            return Fault(record.first.offset, text.reason, text.detail, text.excerpt, record.first.number)
        texts.append(text)
    return texts


def _records(
    stream: BinaryIO, delimiter: bytes, max_bytes: int, *, is_quoted: bool
) -> Iterator[_Record | Fault]:
    """The records of a stream; a blank line outside quotes is none."""
    record: _Record | None = None
    num_quotes = 0

    def count_quotes(piece: bytes) -> None:
        nonlocal num_quotes
        num_quotes += piece.count(b'"')

    for line in read_lines(stream, max_bytes, count_quotes if is_quoted else None):
        refuse_utf16(line)
        if record is None:
            if not line.size:
                continue
            record = _Record(line)
        record.num_bytes += line.size + 1
        record.num_lines += 1
        if line.is_too_long:
            # A doubled quote counts as two: an odd number opens or closes a field, which then goes on.
            is_open = (record.open_field is not None) != bool(num_quotes % 2)
            num_quotes = 0
            if is_open:
                record.open_field = []
                record.fields.clear()
            else:
                yield _too_large(record, max_bytes)
                record = None
            continue
        fault = _take(record, line, delimiter, is_quoted=is_quoted)
        if fault is not None:
            yield fault
            record = None
        elif record.open_field is None:
            yield record if record.num_bytes <= max_bytes + 1 else _too_large(record, max_bytes)
            record = None
        elif record.num_bytes > max_bytes:
            # The search for the closing quote goes on, what it passes is not held.
            record.open_field.clear()
            record.fields.clear()
    if record is not None:
        detail = (
            f"the quote of field {len(record.fields) + 1:,} is not closed before the file ends, "
            f"{record.num_lines:,} lines on; ingest.quoting none takes quotes as characters"
        )
        yield fault_at(record.place, "bad_quotes", detail)


def _take(record: _Record, line: Line, delimiter: bytes, *, is_quoted: bool) -> Fault | None:
    """Adds the fields of one more line to a record."""
    content = line.content
    if not is_quoted or (record.open_field is None and b'"' not in content):
        record.fields += content.split(delimiter)
        return None
    position = 0
    while True:
        if record.open_field is None and content[position : position + 1] == b'"':
            record.open_field = []
            position += 1
        if record.open_field is not None:
            closed = _UP_TO_CLOSING_QUOTE.match(content, position)
            if closed is None:
                record.open_field.append(content[position:] + b"\n")
                return None
            record.open_field.append(content[position : closed.end() - 1])
            record.fields.append(b"".join(record.open_field).replace(b'""', b'"'))
            record.open_field = None
            position = closed.end()
        else:
            unquoted = _unquoted(delimiter).match(content, position)
            assert unquoted is not None
            if b'"' in unquoted.group():
                return _bad_quote(record, line, "stands inside a field that does not begin with one")
            record.fields.append(unquoted.group())
            position = unquoted.end()
        if position == len(content):
            return None
        if content[position : position + 1] != delimiter:
            return _bad_quote(record, line, "ends a field, but neither a delimiter nor a line break follows")
        position += 1


def _bad_quote(record: _Record, line: Line, what: str) -> Fault:
    detail = f"on line {line.number:,} a quote {what}; ingest.quoting none takes quotes as characters"
    return fault_at(record.place, "bad_quotes", detail)


def _too_large(record: _Record, limit: int) -> Fault:
    key = "max_document_bytes, x3 + 1 MiB"
    offset = record.first.offset
    fault = too_large("record", offset, record.num_bytes - 1, limit, key, record.first.content)
    return Fault(offset, fault.reason, fault.detail, fault.excerpt, record.first.number)
