"""Message catalogues as files: compiled in either byte order, and as text."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

HEADER = "Content-Type: text/plain; charset=UTF-8\nLanguage: zh_CN\n"

Entry = tuple[str, str]
"""A message, perhaps `context\\x04singular\\0plural`, and its translation, perhaps forms between NULs."""


def compiled(
    entries: Sequence[Entry], header: str | None = HEADER, order: str = "<", charset: str = "utf-8"
) -> bytes:
    """A `.mo` file as msgfmt writes it, without a hash table."""
    given = ([] if header is None else [("", header)]) + list(entries)
    texts = [text.encode(charset) for pair in zip(*given, strict=True) for text in pair] if given else []
    count = len(given)
    messages, translations = 28, 28 + 8 * count
    place = translations + 8 * count
    table = b""
    for text in texts:
        table += struct.pack(order + "2I", len(text), place)
        place += len(text) + 1
    head = struct.pack(order + "7I", 0x950412DE, 0, count, messages, translations, 0, place)
    return head + table + b"".join(text + b"\0" for text in texts)


def written(entries: Sequence[Entry], header: str | None = HEADER) -> str:
    """A `.po` file of the same."""
    blocks = [] if header is None else [_block("", header)]
    return "\n".join(blocks + [_block(*entry) for entry in entries])


def _block(message: str, translation: str) -> str:
    context, mark, rest = message.rpartition("\x04")
    singular, plural, other = rest.partition("\0")
    lines = [f"msgctxt {_quoted(context)}"] if mark else []
    lines.append(f"msgid {_quoted(singular)}")
    if plural:
        lines.append(f"msgid_plural {_quoted(other)}")
        forms = translation.split("\0")
        lines += [f"msgstr[{number}] {_quoted(form)}" for number, form in enumerate(forms)]
    else:
        lines.append(f"msgstr {_quoted(translation)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """In several lines, with the escapes that JSON and C share."""
    pieces = text.splitlines(keepends=True) or [""]
    quoted = [json.dumps(piece, ensure_ascii=False).replace("\\u00", "\\x") for piece in pieces]
    return "\n".join(['""', *quoted]) if len(quoted) > 1 else quoted[0]
