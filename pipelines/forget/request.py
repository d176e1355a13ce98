"""What is asked for: ids, a condition, a list of ids; and which documents that means."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.errors import InputError
from pipelines.forget.mask import DOCUMENTS
from pipelines.lake import Catalog, Lake, read_arrow
from pipelines.lake.erasures import Erasure
from pipelines.lake.lookup import find_everywhere
from pipelines.trace.documents import fates

_MOST_NAMED = 10
"""Unknown ids that a message names."""

_DOC_ID = re.compile(r"[0-9a-f]{32}")
_LITERAL = re.compile(r"'((?:[^']|'')*)'")


@dataclass(frozen=True)
class Request:
    """One request to forget.

    Attributes:
        ids: doc_ids or, as told, source_ids.
        by_source_id: Whether the ids are source_ids.
        where: An SQL condition on `documents`; None: none.
        near: Whether near-duplicates go too.
    """

    ids: tuple[str, ...] = ()
    by_source_id: bool = False
    where: str | None = None
    near: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it names nothing."""
        return not self.ids and self.where is None

    @property
    def key(self) -> str:
        """By it the same request is known again."""
        value = json.dumps([self.ids, self.by_source_id, self.where, self.near])
        return hashlib.sha256(value.encode()).hexdigest()[:16]

    def told(self, texts: Iterable[str]) -> dict[str, Any]:
        """It as JSON values, without what in it is a part of a text that is forgotten."""
        where = None if self.where is None else without_texts(self.where, texts)
        return {
            "key": self.key,
            "ids": list(self.ids),
            "by_source_id": self.by_source_id,
            "where": where,
            "near": self.near,
        }


def without_texts(condition: str, texts: Iterable[str]) -> str:
    """A condition whose literals, where a piece of one is in a text, are left out.

    >>> without_texts("text LIKE '%Jane Doe%' AND source = 'a.jsonl'", ["I met Jane Doe."])
    "text LIKE '[10 characters]' AND source = 'a.jsonl'"
    """
    folded = [text.casefold() for text in texts]

    def shown(match: re.Match[str]) -> str:
        pieces = [
            piece for piece in re.split("[%_]", match[1].replace("''", "'").casefold()) if piece.strip()
        ]
        if any(piece in text for piece in pieces for text in folded):
            return f"'[{len(match[1])} characters]'"
        return match[0]

    return _LITERAL.sub(shown, condition)


def documents_of(lake: Lake, request: Request, earlier: Sequence[Erasure]) -> tuple[list[str], set[str]]:
    """The documents of a lake that a request means, and those of them that are forgotten already.

    Raises:
        InputError: An id is unknown, or the condition is none or fits no document; the message names it.
    """
    column = "source_id" if request.by_source_id else "doc_id"
    there = _there(lake, request)
    gone: dict[str, set[str]] = {}
    for each in earlier:
        for document in each.documents:
            gone.setdefault(document[column], set()).add(document["doc_id"])
    unknown = [given for given in request.ids if given not in there and given not in gone]
    if unknown:
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        other = "" if request.by_source_id else "; with --source-id, IDs are the documents' own"
        raise InputError(
            f"no version of any table of the lake {lake.location} has a document with {column} "
            f"{', '.join(map(repr, unknown[:_MOST_NAMED]))}{more}; nothing was changed{other}"
        )
    known = {doc_id for given in request.ids for doc_id in gone.get(given, ())}
    found = dict.fromkeys(doc_id for given in request.ids for doc_id in there.get(given, ()))
    if request.where is not None:
        found.update(dict.fromkeys(_fitting(lake, request.where)))
    return list(found), known


def _fitting(lake: Lake, condition: str) -> list[str]:
    """Documents, in the current version of `documents`, that an SQL condition is true of."""
    if not Catalog(lake).exists("documents"):
        raise InputError(f"the lake {lake.location} has no table 'documents', which --where is asked of")
    rows = read_arrow(lake, "documents", ["doc_id"], f"({condition}\n)").column("doc_id").to_pylist()
    if odd := [row for row in rows if not (isinstance(row, str) and _DOC_ID.fullmatch(row))]:
        raise InputError(
            f"--where must be one SQL condition on the columns of 'documents', such as \"url LIKE "
            f"'https://example.org/%'\"; what was given selects {len(odd)} values that are no doc_id"
        )
    return [str(row) for row in rows]


def _there(lake: Lake, request: Request) -> dict[str, list[str]]:
    """By ID the documents that it means, of those that any version of a table still has."""
    if not request.by_source_id:
        there = {doc_id for doc_id, tables in fates(lake, request.ids).items() if tables}
        left = [doc_id for doc_id in request.ids if doc_id not in there]
        if left and Catalog(lake).exists("sequences"):
            # Of an old version of `sequences` the tables that it was made of may be gone.
            for item in find_everywhere(lake, "sequences", DOCUMENTS, left, ("segments",)):
                there.update(segment["doc_id"] for segment in item.row["segments"])
        return {doc_id: [doc_id] for doc_id in request.ids if doc_id in there}
    found: dict[str, list[str]] = {}
    for table in ("documents", "corpus"):
        if Catalog(lake).exists(table):
            for item in find_everywhere(lake, table, "source_id", request.ids, ("doc_id", "source_id")):
                found.setdefault(item.row["source_id"], []).append(item.row["doc_id"])
    return found
