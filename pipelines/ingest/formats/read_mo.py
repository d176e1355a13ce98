"""Compiled message catalogues (`.mo`), as GNU gettext writes them, in both byte orders.

The format (GNU gettext manual, 10.3): a magic number, a revision, the number of messages and the places of
two tables; a table has a length and a place for each message or translation. Nothing of that is believed
before all of it was compared with the size of the file. The hash table is not used, and system-dependent
strings (revision 0.1) are not read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from conf.ingest import IngestConfig
from pipelines.files.record import Document, Fault, FileFault, Skipped, excerpt
from pipelines.ingest.formats.catalogue_pairs import Header, Message, decoded, pairs, read_header
from pipelines.ingest.formats.python_docs import read_limited

_MAGIC = 0x950412DE
_HEADER_BYTES = 28
_BEFORE_MESSAGE = "\x04"
_BETWEEN_FORMS = "\x00"


def read_mo(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault | Skipped]:
    """The pairs of a catalogue; `offset` is the place of the message's entry in the table of messages.

    Raises:
        FileFault: The file is larger than `ingest.max_source_bytes`, is no catalogue, or names places that it
            does not have; or its charset is unknown.
    """
    raw = read_limited(stream, config)
    entries = _entries(raw)
    headers = [translation for _, message, translation in entries if not message]
    header = read_header(headers[0]) if headers else Header("utf-8", None)
    for offset, message, translation in entries:
        if not message:
            yield Skipped("header")
            continue
        given = decoded(message, header, offset, None)
        said = decoded(translation, header, offset, None)
        if isinstance(given, Fault):
            yield given
            continue
        if isinstance(said, Fault):
            yield said
            continue
        context, mark, rest = given.partition(_BEFORE_MESSAGE)
        rest = rest if mark else given
        singular, has_plural, plural = rest.partition(_BETWEEN_FORMS)
        forms = said.split(_BETWEEN_FORMS) if has_plural else [said]
        found = Message(
            offset, None, context if mark else None, singular, plural if has_plural else None, forms
        )
        yield from pairs(found, header, config)


def _entries(raw: bytes) -> list[tuple[int, bytes, bytes]]:
    """Place, message and translation of each entry, all of them within the file."""
    order = "<" if raw[:4] == struct.pack("<I", _MAGIC) else ">"
    if len(raw) < _HEADER_BYTES or struct.unpack_from(order + "I", raw)[0] != _MAGIC:
        raise _bad(raw, "the file does not begin as a compiled message catalogue does")
    revision, count, messages, translations = struct.unpack_from(order + "4I", raw, 4)
    if revision >> 16 > 1:
        raise _bad(raw, f"its revision is {revision >> 16}.{revision & 0xFFFF}; known are 0 and 1")
    for name, place in (("messages", messages), ("translations", translations)):
        if place + 8 * count > len(raw):
            detail = (
                f"its table of {count:,} {name} at byte {place:,} passes the end of its {len(raw):,} bytes"
            )
            raise _bad(raw, detail)
    one, other = (
        struct.unpack_from(f"{order}{2 * count}I", raw, place) for place in (messages, translations)
    )
    for length, place in zip(one[::2] + other[::2], one[1::2] + other[1::2], strict=True):
        if place + length > len(raw):
            detail = (
                f"a string of {length:,} bytes at byte {place:,} passes the end of its {len(raw):,} bytes"
            )
            raise _bad(raw, detail)
    total = sum(one[::2]) + sum(other[::2])
    if total > len(raw):
        # Strings that share their bytes: a small file could stand for terabytes.
        raise _bad(raw, f"its strings have {total:,} bytes together, the file has {len(raw):,}")
    return [
        (messages + 8 * number, raw[start : start + length], raw[begin : begin + size])
        for number, (length, start, size, begin) in enumerate(
            zip(one[::2], one[1::2], other[::2], other[1::2], strict=True)
        )
    ]


def _bad(raw: bytes, detail: str) -> FileFault:
    return FileFault(Fault(0, "bad_catalogue", detail, excerpt(raw[:1000])))
