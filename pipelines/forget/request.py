"""What is asked for: ids, a condition, a list of ids; and which documents that means."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake, read_arrow
from pipelines.lake.erasures import Erasure
from pipelines.trace.document import ids_of
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
    found: dict[str, None] = {}
    gone, known = _forgotten(earlier), set()
    unknown: list[str] = []
    for given in request.ids:
        own = ids_of(lake, given, by_source_id=request.by_source_id)
        before = {
            each["doc_id"]
            for each in gone
            if given == each["source_id" if request.by_source_id else "doc_id"]
        }
        known |= before
        if request.by_source_id:
            found.update(dict.fromkeys(own))
            if not own and not before:
                unknown.append(given)
        elif given not in before:
            unknown.append(given)
    if not request.by_source_id and unknown:
        there = fates(lake, unknown)
        found.update(dict.fromkeys(each for each in unknown if there[each]))
        unknown = [each for each in unknown if not there[each]]
    if unknown:
        what = "source_id" if request.by_source_id else "doc_id"
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        other = "" if request.by_source_id else "; with --source-id, IDs are the documents' own"
        raise InputError(
            f"no version of any table of the lake {lake.location} has a document with {what} "
            f"{', '.join(map(repr, unknown[:_MOST_NAMED]))}{more}; nothing was changed{other}"
        )
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


def _forgotten(earlier: Collection[Erasure]) -> list[Mapping[str, Any]]:
    return [document for each in earlier for document in each.documents]
