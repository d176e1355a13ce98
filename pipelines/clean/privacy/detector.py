"""What a detector of one kind of personal data is."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Protocol, TypeVar

Span = tuple[int, int]
Mark = TypeVar("Mark")

# Numbers of books and papers have check digits too; that of an ISBN is that of an NHS number.
CATALOGUE_BEFORE = re.compile(
    r"\b(?:e?isbn(?:-?1[03])?|e?issn|doi|isni|orcid|oclc|arxiv|pmid|lccn)\b[^\w\n]{0,3}\Z", re.IGNORECASE
)
CATALOGUE_WINDOW = 16


class Detector(Protocol):
    """Finds one kind of personal data in a text.

    Attributes:
        kind: One of `KINDS`.
        needs: Traits of a text (see `traits`) without which nothing can be found; all bits have to be there.
    """

    kind: str
    needs: int

    def find(self, text: str) -> Iterator[Span]:
        """Begin and end of what was found, in characters, in order and without overlap.

        The time is linear in the length of the text, whatever the text is.
        """
        ...


def preceding(text: str, start: int, window: int) -> str:
    """The characters before a place, for detectors that ask for the word in front."""
    return text[max(0, start - window) : start]


def windows(
    groups: Iterable[tuple[Mark, Mark]], max_groups: int, accepts: Callable[[Mark, Mark], bool]
) -> Iterator[tuple[Mark, Mark]]:
    """The spans over one to `max_groups` neighbouring groups that are accepted: the first, then the longest.

    Numbers stand next to other numbers, so that a run of groups of digits may hold what is looked for
    anywhere. Each group is asked about `max_groups` times at most, and no more are held at a time.

    Args:
        groups: Where each begins and ends, in order; a mark is a place or more than that.
        max_groups: Of one span.
        accepts: Gets where the first group begins and the last one ends.
    """
    ahead = iter(groups)
    held = deque(islice(ahead, max_groups))
    while held:
        start = held[0][0]
        taken = 1
        for last in range(len(held) - 1, -1, -1):
            end = held[last][1]
            if accepts(start, end):
                yield start, end
                taken = last + 1
                break
        for _ in range(taken):
            held.popleft()
        held.extend(islice(ahead, taken))
