"""The documents with the longest run of tokens in common with a text: by samples, and exact."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.errors import EnvironmentProblem
from pipelines.trace.overlap.index import BrokenIndexError, Index, build_index, open_index
from pipelines.trace.overlap.tokens import TokenRows
from pipelines.trace.overlap.winnow import GRAM, LEAST, WINDOW, Entries, Ints, Passage, Words, sample

_VERIFIED_AT_ONCE = 64

Say = Callable[[str], None]


@dataclass(frozen=True)
class Shared:
    """The longest run of tokens that a document shares with the text.

    Attributes:
        doc_id: The document.
        tokens: Tokens of the run.
        at: Token of the text at which it begins.
        doc_at: Token of the document.
    """

    doc_id: str
    tokens: int
    at: int
    doc_at: int


@dataclass(frozen=True)
class Answer:
    """What was found.

    Attributes:
        shared: Documents with the longest runs, the longest first; of equal ones in the table's order.
        by: 'index' or 'scan'.
        least: Runs from so many tokens on are all known, up to the documents asked for.
    """

    shared: tuple[Shared, ...]
    by: str
    least: int


def search(rows: TokenRows, ids: Words, limit: int, say: Say) -> Answer:
    """The training documents with the longest runs of tokens that are in a text.

    The index finds every run of LEAST tokens and more. Where there is none, or the text is shorter, all
    tokens are read instead: then the answer is exact for shorter ones too.

    Args:
        rows: The documents.
        ids: Tokens of the text.
        limit: Most documents.
        say: Takes a line about an index that is made, or that is broken.
    """
    if not len(ids):
        return Answer((), "index", 1)
    passage = Passage(ids)
    if len(ids) >= LEAST:
        found = _by_index(rows, ids, passage, limit, say)
        if found:
            return Answer(tuple(found), "index", LEAST)
    return Answer(tuple(_by_scan(rows, passage, limit)), "scan", 1)


def _by_index(rows: TokenRows, ids: Words, passage: Passage, limit: int, say: Say) -> list[Shared]:
    """By samples; empty where there is no such run, or no index can be had."""
    own = sample(ids, np.array([len(ids)], np.int64))
    for attempt in range(2):
        index = _index_of(rows, say, anew=attempt > 0)
        if index is None:
            return []
        try:
            entries = index.find(np.unique(own["hash"]))
            break
        except BrokenIndexError as error:
            say(f"trace: the index is broken and made again ({error})")
    else:
        return []
    candidates = list(_bounded(own["hash"], own["at"].astype(np.int64), entries, len(ids)))
    best: list[tuple[int, int, Any]] = []
    # The longest possible run first: once `limit` documents have longer ones, no other can be among them.
    for first in range(0, len(candidates), _VERIFIED_AT_ONCE):
        if len(best) >= limit and best[0][0] >= candidates[first][0]:
            break
        part = candidates[first : first + _VERIFIED_AT_ONCE]
        for row, (doc_id, tokens) in rows.take([row for _, row in part]).items():
            length, at, doc_at = passage.longest(tokens, np.array([len(tokens)], np.int64))[0].tolist()
            # Two n-grams may have one hash.
            if length >= GRAM:
                _keep(best, limit, length, row, Shared(doc_id, length, at, doc_at))
    # Of shorter runs samples tell some, and not all.
    return [
        shared for length, _, shared in sorted(best, key=lambda item: (-item[0], -item[1])) if length >= LEAST
    ]


def _bounded(hashes: Ints, places: Ints, entries: Entries, size: int) -> Iterator[tuple[int, int]]:
    """For each document with a sample of the text the longest run that it can share, and its row.

    A shared run of LEAST tokens and more has a sample in each of its windows, in both texts and at the same
    distance; so its samples follow each other by WINDOW tokens at most, the first begins at most WINDOW - 1
    tokens behind the run's beginning, and the last ends as many before its end.
    """
    order = np.argsort(hashes, kind="stable")
    hashes, places = hashes[order], places[order]
    low, high = np.searchsorted(hashes, entries["hash"]), np.searchsorted(hashes, entries["hash"], "right")
    counts = high - low
    # Every occurrence in a document with every occurrence in the text.
    pair = np.repeat(np.arange(len(entries)), counts)
    number = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
    at = places[low[pair] + number]
    rows, distance = entries["row"][pair], entries["at"][pair].astype(np.int64) - at
    order = np.lexsort((at, distance, rows))
    rows, distance, at = rows[order], distance[order], at[order]
    if not len(rows):
        return
    breaks = (np.diff(rows) != 0) | (np.diff(distance) != 0) | (np.diff(at) > WINDOW)
    heads = np.concatenate([[0], np.flatnonzero(breaks) + 1])
    ends = np.append(heads[1:], len(rows)) - 1
    first = np.maximum(at[heads] - (WINDOW - 1), 0)
    last = np.minimum(at[ends] + GRAM + WINDOW - 1, size)
    bounds: dict[int, int] = {}
    for row, bound in zip(rows[heads].tolist(), (last - first).tolist(), strict=True):
        bounds[row] = max(bounds.get(row, 0), bound)
    yield from sorted(((bound, row) for row, bound in bounds.items()), key=lambda item: (-item[0], item[1]))


def _by_scan(rows: TokenRows, passage: Passage, limit: int) -> list[Shared]:
    """Through all tokens, a batch in memory at a time."""
    best: list[tuple[int, int, Any]] = []
    for batch in rows.batches():
        runs = passage.longest(batch.ids, batch.lengths)
        least = best[0][0] if len(best) >= limit else 0
        for number in np.flatnonzero(runs[:, 0] > least).tolist():
            length, at, doc_at = runs[number].tolist()
            _keep(best, limit, length, batch.first_row + number, (at, doc_at))
    ordered = sorted(best, key=lambda item: (-item[0], -item[1]))
    names = rows.take([-row for _, row, _ in ordered])
    return [Shared(names[-row][0], length, at, doc_at) for length, row, (at, doc_at) in ordered]


def _keep(best: list[tuple[int, int, Any]], limit: int, length: int, row: int, value: Any) -> None:
    """Adds to a heap of the longest runs; of equal ones the earlier row stays."""
    item = (length, -row, value)
    if len(best) < limit:
        heapq.heappush(best, item)
    elif item[:2] > best[0][:2]:
        heapq.heapreplace(best, item)


def _index_of(rows: TokenRows, say: Say, *, anew: bool) -> Index | None:
    """The index, built if there is none that is whole; None where it cannot be: all tokens are read then."""
    if not anew:
        try:
            return open_index(rows)
        except FileNotFoundError:
            pass
        except BrokenIndexError as error:
            say(f"trace: the index is broken and made again ({error})")
    try:
        with rows.lake.locked():
            return build_index(rows, say)
    except (OSError, EnvironmentProblem) as error:
        say(f"trace: no index can be kept now ({error}); all tokens are read instead")
        return None
