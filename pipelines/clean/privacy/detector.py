"""What a detector of one kind of personal data is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

Span = tuple[int, int]

# Numbers of books and papers have check digits too; that of an ISBN is that of an NHS number.
CATALOGUE_BEFORE = re.compile(
    r"\b(?:e?isbn(?:-?1[03])?|e?issn|doi|isni|orcid|oclc|arxiv|pmid|lccn)\b[^\w\n]{0,3}$", re.IGNORECASE
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


def windows(groups: Sequence[Span], max_groups: int, accepts: Callable[[Span], bool]) -> Iterator[Span]:
    """The spans over one to `max_groups` neighbouring groups that are accepted: the first, then the longest.

    Numbers stand next to other numbers, so that a run of groups of digits may hold what is looked for
    anywhere. Each group is asked about `max_groups` times at most.
    """
    first = 0
    while first < len(groups):
        for last in range(min(first + max_groups, len(groups)) - 1, first - 1, -1):
            span = groups[first][0], groups[last][1]
            if accepts(span):
                yield span
                first = last
                break
        first += 1
