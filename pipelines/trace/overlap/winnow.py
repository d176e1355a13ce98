"""Token n-grams sampled so that two equal passages have equal samples, and the longest that two share.

Winnowing (Schleimer, Wilkerson and Aiken, SIGMOD 2003): of every WINDOW consecutive n-grams the one with the
least hash is taken, the rightmost of equal ones. What is taken of a window depends on its content alone, so
any passage of LEAST tokens that two texts share has a sampled n-gram in both.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipelines.jit import kernel
from ringlake.base.seeds import GOLDEN, MIX_1

GRAM = 8
"""Tokens of an n-gram."""

WINDOW = 9
"""N-grams of a window: about 2 in WINDOW + 1 are taken (section 3.2 of the paper)."""

LEAST = GRAM + WINDOW - 1
"""Shared passages of so many tokens are always found by samples."""

ENTRY = np.dtype([("hash", "<i8"), ("row", "<i8"), ("at", "<i4")])
"""A sample: its hash, the number of its document, the token of the document at which it begins."""

_BASE, _MIX = np.uint64(GOLDEN), np.uint64(MIX_1)

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]
Entries = npt.NDArray[np.void]


def sample(ids: Words, lengths: Ints, first_row: int = 0) -> Entries:
    """The samples of documents whose tokens follow each other.

    Args:
        ids: Tokens of all documents.
        lengths: Tokens of each.
        first_row: Number of the first document.

    Returns:
        Array of ENTRY, in the order of the documents and their tokens. Those with fewer than LEAST tokens
        have none.
    """
    hashes, rows, places, count = _sample(ids, lengths, GRAM, WINDOW)
    found = np.empty(count, ENTRY)
    found["hash"], found["row"], found["at"] = hashes[:count], rows[:count] + first_row, places[:count]
    return found


class Passage:
    """A text that documents are compared with, prepared for `longest`.

    Args:
        ids: Its tokens.
    """

    def __init__(self, ids: Words) -> None:
        self.ids = ids
        order = np.lexsort((-np.arange(len(ids)), ids))
        self._values = np.unique(ids)
        sorted_ids = ids[order]
        self._starts = np.searchsorted(sorted_ids, self._values).astype(np.int64)
        self._ends = np.searchsorted(sorted_ids, self._values, "right").astype(np.int64)
        self._places = order.astype(np.int64)

    def longest(self, ids: Words, lengths: Ints) -> Ints:
        """The longest run of tokens that each document shares with the text.

        Args:
            ids: Tokens of all documents.
            lengths: Tokens of each.

        Returns:
            int64 (documents, 3): tokens of the run, where it begins in the text, where in the document; the
            first such run of the document. 0 tokens: they share none.
        """
        numbers = np.searchsorted(self._values, ids)
        numbers[numbers == len(self._values)] = 0
        known = self._values[numbers] == ids if len(self._values) else np.zeros(len(ids), np.bool_)
        numbers = np.where(known, numbers, -1).astype(np.int64)
        return np.asarray(
            _longest(numbers, lengths, self._starts, self._ends, self._places, len(self.ids)), np.int64
        )


@kernel
def _sample(ids: Words, lengths: Ints, gram: int, window: int) -> tuple[Ints, Ints, Ints, int]:
    total = len(ids)
    hashes, rows, places = np.empty(total, np.int64), np.empty(total, np.int64), np.empty(total, np.int64)
    grams = np.empty(total + 1, np.uint64)
    count = 0
    start = 0
    for row in range(len(lengths)):
        length = lengths[row]
        number = length - gram + 1
        if number >= window:
            for at in range(number):
                mixed = _BASE
                for place in range(gram):
                    mixed = (mixed ^ np.uint64(ids[start + at + place])) * _MIX
                    mixed ^= mixed >> np.uint64(29)
                grams[at] = mixed
            least = -1
            for end in range(window - 1, number):
                low = end - window + 1
                chosen = least
                if least < low:
                    chosen = low
                    for at in range(low + 1, end + 1):
                        if grams[at] <= grams[chosen]:
                            chosen = at
                elif grams[end] <= grams[least]:
                    chosen = end
                if chosen != least:
                    least = chosen
                    hashes[count] = np.int64(grams[chosen])
                    rows[count], places[count] = row, chosen
                    count += 1
        start += length
    return hashes, rows, places, count


@kernel
def _longest(
    numbers: Ints, lengths: Ints, starts: Ints, ends: Ints, places: Ints, size: int
) -> npt.NDArray[np.int64]:
    """Lengths of the runs that end at each token, kept for the tokens of the text that equal it alone."""
    found = np.zeros((len(lengths), 3), np.int64)
    run, stamp = np.zeros(size, np.int64), np.full(size, -2, np.int64)
    at = 0
    for row in range(len(lengths)):
        first = at
        for _ in range(lengths[row]):
            number = numbers[at]
            if number >= 0:
                # The places of a token fall, so that the run before a place is that of the token before.
                for index in range(starts[number], ends[number]):
                    place = places[index]
                    length = 1
                    if place > 0 and stamp[place - 1] == at - 1 and at > first:
                        length = run[place - 1] + 1
                    run[place], stamp[place] = length, at
                    if length > found[row, 0]:
                        found[row, 0] = length
                        found[row, 1], found[row, 2] = place - length + 1, at - first - length + 1
            at += 1
    return found
