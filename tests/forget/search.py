"""A search for bytes over a folder: in each file as it lies, and in Parquet in every value, decompressed."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def needles(text: str, others: Iterable[str] = ()) -> set[bytes]:
    """Passages of a text as they may lie there: plain, as JSON and HTML have them, and as token ids.

    Args:
        text: The text.
        others: Texts that stay; a passage that one of them has too tells nothing.
    """
    stays = "\n".join(others)
    passages = [text[at : at + 24] for at in range(0, len(text) - 24, 12)]
    passages = [each for each in passages if each not in stays]
    ids, kept = np.frombuffer(text.encode(), np.uint8), stays.encode()
    tokens = [
        ids[at : at + 16].astype(width).tobytes()
        for at in range(0, len(ids) - 16, 8)
        if ids[at : at + 16].tobytes() not in kept
        for width in ("<u2", "<u4")
    ]
    written = [form for each in passages for form in _forms(each)]
    return {each.encode() for each in written} | set(tokens)


def _forms(passage: str) -> Iterator[str]:
    """A passage as it is written: plain, in HTML, in JSON, and in JSON within JSON as the logs have it."""
    yield passage
    yield html.escape(passage)
    for is_ascii in (False, True):
        once = json.dumps(passage, ensure_ascii=is_ascii)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=is_ascii)[1:-1]


def files_with(folder: Path, wanted: set[bytes]) -> set[str]:
    """Files below a folder that hold one of some byte strings, relative to it."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file() and any(needle in content for content in _contents(path) for needle in wanted):
            found.add(str(path.relative_to(folder)))
    return found


def _contents(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    yield content
    if content[:4] == b"PAR1" and content[-4:] == b"PAR1" and len(content) > 12:
        for column in pq.ParquetFile(path).read().columns:
            for chunk in column.chunks:
                yield from _values(chunk)


def _values(array: pa.Array) -> Iterator[bytes]:
    """The buffers with values of a column, those of nested ones too."""
    yield from (bytes(buffer) for buffer in array.buffers() if buffer is not None)
