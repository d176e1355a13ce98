"""What counts as a word: named splitters, because rules that count words depend on it.

With punctuation marks as words, Gopher's rule that 80% of the words have a letter turns away far more
technical texts than with white-space splitting.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Splitter = Callable[[str], list[str]]

_WORD_OR_PUNCT = re.compile(r"\w+|[^\w\s]")

DEFAULT_SPLITTER = "word_or_punct"

SPLITTERS: dict[str, Splitter] = {
    # Runs of word characters, and each other mark by itself: closest to the FineWeb release.
    "word_or_punct": _WORD_OR_PUNCT.findall,
    # Runs of anything but white space, as Dolma (Soldaini et al. 2024, arXiv 2402.00159) has it.
    "whitespace": str.split,
}
