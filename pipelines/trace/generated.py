"""Where a text may have come from: the training documents that share the longest passages with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from pipelines.errors import InputError, RinglakeError
from pipelines.lake import Catalog, Lake
from pipelines.lake.lookup import find_rows
from pipelines.tokenize.engine import plain_tokenizer
from pipelines.tokenize.folder import MAX_TOKENIZER_BYTES, TOKENIZER
from pipelines.trace.document import steps_with
from pipelines.trace.documents import described
from pipelines.trace.overlap.search import Answer, Shared, search
from pipelines.trace.overlap.tokens import TokenRows
from pipelines.trace.trainings import Training, choose, lineage, trainings_of

_MOST_PLACES = 1000
"""Places of a passage in a document that are tried for the longest one."""

Say = Callable[[str], None]


def trace_generated(lake: Lake, text: str, training: Training | None, limit: int, say: Say) -> dict[str, Any]:
    """The documents with the longest verbatim overlap with a text, and the steps and models that saw them.

    Overlaps are exact in tokens of the tokenizer that made the training's tokens; told in characters, they
    are as long as text and document agree.

    Args:
        lake: The lake.
        text: The text.
        training: Whose documents are searched; None: those of the lake's model or newest training or, if
            nothing was trained yet, the current tokens.
        limit: Most documents.
        say: Takes lines about the index.

    Returns:
        `documents` with `overlap`, the longest first, `steps`, `models` and `notes`, JSON values.

    Raises:
        InputError: There are no tokens, or they or their tokenizer are gone.
    """
    if training is None and trainings_of(lake):
        training = choose(lake, None)
    pinned: list[tuple[Lake, int, dict[str, int]]] = []
    for source in training.sources if training is not None else ():
        made = lineage(source.lake, "sequences", source.version)
        if "tokens" in made:
            pinned.append((source.lake, made["tokens"], made))
    if not pinned:
        version = Catalog(lake).info("tokens").version
        pinned = [(lake, version, lineage(lake, "tokens", version))]
    documents: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    notes: list[str] = []
    trainings = trainings_of(lake) if training is None else [training]
    for place, version, made in pinned:
        rows = TokenRows.open(place, version)
        tokenizer = _tokenizer(place, str(rows.noted.get("tokenizer_hash")))
        encoded = tokenizer.encode(text, add_special_tokens=False)
        answer = search(rows, np.array(encoded.ids, np.uint32), limit, say)
        notes.append(_told(answer, version))
        ids = [shared.doc_id for shared in answer.shared]
        known = described(place, ids, made.get("documents"))
        texts = _texts(place, ids, made.get("corpus"))
        for shared in answer.shared:
            overlap = _overlap(text, encoded.offsets, shared, texts.get(shared.doc_id))
            documents.append(known[shared.doc_id] | {"lake": place.location, "overlap": overlap})
    documents.sort(key=lambda document: -document["overlap"]["tokens"])
    documents = documents[:limit]
    if documents:
        own = [document["doc_id"] for document in documents]
        steps, problems = steps_with(lake, trainings, own)
        notes += problems
    seen = {step["model"] for step in steps}
    return {
        "documents": documents,
        "steps": steps,
        "models": [each.described() for each in trainings if each.key in seen],
        "notes": notes,
    }


def _told(answer: Answer, version: int) -> str:
    if answer.by == "index":
        return f"tokens version {version}, by the index: every overlap of {answer.least} tokens is found"
    return f"tokens version {version}, all read: every overlap is found"


def _tokenizer(lake: Lake, sha256: str) -> Tokenizer:
    folder = lake.tokenizers.child(sha256[:16])
    try:
        if folder.size(TOKENIZER) > MAX_TOKENIZER_BYTES:
            raise InputError(f"{folder.location}/{TOKENIZER} is larger than {MAX_TOKENIZER_BYTES} bytes")
        return plain_tokenizer(folder.read(TOKENIZER).decode())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the tokenizer {folder.location} that made the tokens cannot be read: {error}; put it back, or "
            f"tokenize again"
        ) from error


def _texts(lake: Lake, doc_ids: list[str], version: int | None) -> dict[str, str]:
    """Texts of documents as they were tokenized, as far as that version of `corpus` is still there."""
    if version is None or not doc_ids:
        return {}
    try:
        rows = find_rows(lake, "corpus", "doc_id", doc_ids, ("doc_id", "text"), version)
    except RinglakeError:
        return {}
    return {row["doc_id"]: row["text"] for row in rows}


def _overlap(
    text: str, offsets: list[tuple[int, int]], shared: Shared, document: str | None
) -> dict[str, Any]:
    """An overlap in tokens and in characters: as far as both texts agree around the shared tokens."""
    start, end = offsets[shared.at][0], offsets[shared.at + shared.tokens - 1][1]
    found = {
        "tokens": shared.tokens,
        "document_token": shared.doc_at,
        "characters": end - start,
        "start": start,
        "document_start": None,
        "text": text[start:end],
    }
    if document is None:
        return found
    # A token may be a part of a character, which then is not in both.
    for low, high in ((start, end), (start + 1, end), (start, end - 1), (start + 1, end - 1)):
        if low < high and (longest := _extended(text, low, high, document)) is not None:
            begin, stop, at = longest
            return {
                **found,
                "characters": stop - begin,
                "start": begin,
                "document_start": at,
                "text": text[begin:stop],
            }
    return found


def _extended(text: str, low: int, high: int, document: str) -> tuple[int, int, int] | None:
    """The longest passage around text[low:high] that is in a document, and where it begins there."""
    wanted, best = text[low:high], None
    place = document.find(wanted)
    for _ in range(_MOST_PLACES):
        if place < 0:
            break
        before = 0
        while before < min(low, place) and text[low - before - 1] == document[place - before - 1]:
            before += 1
        after, there = 0, place + len(wanted)
        while (
            high + after < len(text)
            and there + after < len(document)
            and text[high + after] == document[there + after]
        ):
            after += 1
        if best is None or before + after > best[0]:
            best = (before + after, (low - before, high + after, place - before))
        place = document.find(wanted, place + 1)
    return None if best is None else best[1]
