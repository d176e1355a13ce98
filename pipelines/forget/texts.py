"""The texts that are to be forgotten, and documents that have the same."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pipelines.lake import Catalog, Lake
from pipelines.lake.lookup import columns_of, find_everywhere

TEXTS = ("documents", "clean", "trimmed", "corpus")
"""Tables that hold texts of documents, as read first and then as the stages left them."""

_COLUMNS = ("doc_id", "text", "target", "label")


def content_of(text: str, target: str | None) -> str:
    """The hash by which a text is known again: SHA-256 of it in UTF-8, of a pair with a NUL and the target.

    >>> content_of("a", None) == hashlib.sha256(b"a").hexdigest()
    True
    """
    parts = [text] if target is None else [text, target]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def texts_of(lake: Lake, doc_ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """By table the texts of documents in all versions, with doc_id, text, target and label."""
    return {
        table: [item.row for item in find_everywhere(lake, table, "doc_id", doc_ids, _COLUMNS)]
        for table in _there(lake)
    }


def with_same_text(lake: Lake, doc_ids: Collection[str]) -> set[str]:
    """Documents together with all whose text in any of the tables is that of one of them.

    Else the text would still be in the lake. Only texts of the same length are read.
    """
    found, new = set(doc_ids), set(doc_ids)
    while new:
        same: set[str] = set()
        for table, rows in texts_of(lake, new).items():
            contents = {_content(row) for row in rows}
            sizes = {len(row["text"].encode()) for row in rows}
            if contents:
                alike = find_everywhere(lake, table, "num_bytes", sizes, _COLUMNS)
                same |= {item.row["doc_id"] for item in alike if _content(item.row) in contents}
        new = same - found
        found |= same
    return found


def contents_as_read(texts: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """The hashes of what `texts_of` found as it was read, sorted."""
    return sorted({_content(row) for row in texts.get("documents", [])})


def strings(texts: Mapping[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Every text, target and label once."""
    seen: set[str] = set()
    for rows in texts.values():
        for row in rows:
            for name in ("text", "target", "label"):
                if (value := row.get(name)) and value not in seen:
                    seen.add(value)
                    yield value


def _content(row: Mapping[str, Any]) -> str:
    return content_of(row["text"], row.get("target"))


def _there(lake: Lake) -> list[str]:
    catalog = Catalog(lake)
    return [name for name in TEXTS if catalog.exists(name) and "text" in columns_of(lake, name)]
