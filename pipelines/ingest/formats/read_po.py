"""Message catalogues as text (`.po`), as translators edit them.

The format (GNU gettext manual, 3): entries of `msgctxt`, `msgid`, `msgid_plural` and `msgstr`, whose strings
are quoted, may go on in the lines behind, and have C's escapes. Fuzzy entries, which nobody has checked, and
obsolete ones are left out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from conf.ingest import IngestConfig
from pipelines.files.lines import Line, read_lines
from pipelines.files.record import Document, Fault, Skipped, excerpt
from pipelines.files.utf8 import refuse_utf16
from pipelines.ingest.formats.catalogue_pairs import Header, Message, decoded, pairs, read_header
from pipelines.ingest.formats.python_docs import read_limited

_HEADER_BYTES = 2**16
"""Where the header is looked for: it is the first entry, behind comments."""

_FIRST = (b"msgctxt", b"msgid ", b"msgid\t", b'msgid"')
"""With what an entry begins, behind its comments."""

_KEYWORD = re.compile(r"(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d{1,2})\])?[ \t]*")
_STRING = re.compile(r'"((?:[^"\\]++|\\.)*+)"')
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ITSELF = "\"\\'?"


class _Unusable(Exception):
    """A line that no catalogue has: what is wrong with it."""


@dataclass
class _Entry:
    """An entry so far.

    Attributes:
        line: Its first line.
        is_fuzzy: Whether a comment calls it fuzzy.
        strings: The pieces of its strings, by keyword: 'msgid', 'msgstr[1]'.
        last: The keyword to which a line without one belongs.
        fault: What is wrong with it.
    """

    line: Line
    is_fuzzy: bool = False
    strings: dict[str, list[str]] = field(default_factory=dict)
    last: str | None = None
    fault: Fault | None = None

    @property
    def has_translation(self) -> bool:
        return self.last is not None and self.last.startswith("msgstr")


def read_po(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault | Skipped]:
    """The pairs of a catalogue, and a fault for each entry that cannot be read.

    Raises:
        FileFault: The file is larger than `ingest.max_source_bytes`, is UTF-16, or its charset is unknown.
    """
    raw = read_limited(stream, config)
    header = read_header(raw[:_HEADER_BYTES])
    entry: _Entry | None = None
    for line in read_lines(io.BytesIO(raw), len(raw) + 1):
        refuse_utf16(line)
        content = line.content.strip()
        if not content:
            if entry is not None and (entry.has_translation or entry.fault):
                yield from _made(entry, header, config)
                entry = None
            continue
        begins = content.startswith(_FIRST)
        if entry is not None and (content.startswith(b"#~") or _ends(entry, content, begins)):
            yield from _made(entry, header, config)
            entry = None
        if content.startswith(b"#~"):
            if re.match(rb"#~\s*msgid[\s\"]", content):
                yield Skipped("obsolete")
            continue
        entry = entry or _Entry(line)
        if content.startswith(b"#"):
            entry.is_fuzzy |= content.startswith(b"#,") and b"fuzzy" in content
        elif entry.fault is None:
            entry.fault = _take(entry, content, line, header)
        elif content.startswith(b"msgstr"):
            entry.last = "msgstr"
    if entry is not None:
        yield from _made(entry, header, config)


def _ends(entry: _Entry, content: bytes, begins: bool) -> bool:
    """Whether a line belongs to the next entry."""
    if entry.has_translation:
        return begins or content.startswith(b"#")
    return begins and "msgid" in entry.strings


def _take(entry: _Entry, content: bytes, line: Line, header: Header) -> Fault | None:
    """Adds a line to its entry; what is wrong with it, if anything is."""
    text = decoded(content, header, line.offset, line.number)
    if isinstance(text, Fault):
        if content.startswith(b"msgstr"):
            entry.last = "msgstr"
        return text
    try:
        _add(entry, text)
    except _Unusable as unusable:
        return Fault(line.offset, "bad_catalogue", str(unusable), excerpt(content[:1000]), line.number)
    return None


def _add(entry: _Entry, text: str) -> None:
    keyword = _KEYWORD.match(text)
    if keyword is not None:
        name, number = keyword.groups()
        if number is not None and name != "msgstr":
            raise _Unusable(f"only msgstr has a number, not {name}")
        entry.last = name if number is None else f"{name}[{int(number)}]"
        if entry.last in entry.strings:
            raise _Unusable(f"the entry has {entry.last} twice")
        entry.strings[entry.last] = []
    string = _STRING.fullmatch(text, keyword.end() if keyword else 0)
    if string is None or entry.last is None:
        raise _Unusable("a line of a catalogue is a comment, or a keyword and a quoted string")
    entry.strings[entry.last].append(_ESCAPE.sub(_unescaped, string[1]))


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1]
    if code in _ESCAPED:
        return _ESCAPED[code]
    if code in _ITSELF:
        return code
    if code[0] not in "x01234567" or code == "x":
        raise _Unusable(f"{escape[0]!r} is no escape that C has")
    value = int(code[1:], 16) if code[0] == "x" else int(code, 8)
    if value > 0x7F:
        raise _Unusable(f"the escape {escape[0]!r} is a byte of an encoding; write the character itself")
    return chr(value)


def _made(entry: _Entry, header: Header, config: IngestConfig) -> Iterator[Document | Fault | Skipped]:
    """What a whole entry gives; comments alone are none."""
    if entry.fault is not None:
        yield entry.fault
        return
    if not entry.strings:
        return
    joined = {name: "".join(pieces) for name, pieces in entry.strings.items()}
    context, singular = joined.get("msgctxt"), joined.get("msgid")
    plural = joined.get("msgid_plural")
    forms = [joined[name] for name in _form_names(joined, plural) if name in joined]
    num_forms = sum(name.startswith("msgstr") for name in joined)
    if singular is None or not forms or num_forms != len(forms):
        detail = (
            f"the entry has {', '.join(joined)}; it needs msgid and msgstr, or msgid_plural and msgstr[0] on"
        )
        shown = excerpt(entry.line.content[:1000])
        yield Fault(entry.line.offset, "bad_catalogue", detail[:300], shown, entry.line.number)
    elif not singular and context is None:
        yield Skipped("header")
    elif entry.is_fuzzy:
        yield Skipped("fuzzy")
    else:
        found = Message(entry.line.offset, entry.line.number, context, singular, plural, forms)
        yield from pairs(found, header, config)


def _form_names(joined: dict[str, str], plural: str | None) -> list[str]:
    """The keywords of the translation, in order and without a gap."""
    if plural is None:
        return ["msgstr"]
    names = [f"msgstr[{number}]" for number in range(len(joined))]
    return names[: next((place for place, name in enumerate(names) if name not in joined), len(names))]
