"""Blocked words and phrases: whole words, and substrings in scripts that have no spaces.

A text is looked at once. Each of its words costs a look into a set, each character of a script without
spaces a look into a dictionary, whatever the length of the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipelines.text.normal_form import nfc

_WORD = re.compile(r"\w+")

# Thai, Lao, Burmese, Khmer, Japanese, Chinese. Korean has spaces.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U0001aff0-\U0001b16f\U00020000-\U0003ffff]"
)


class WordBlocklist:
    """A set of words and phrases, compared without regard to case.

    An entry with a character of a script without spaces is found anywhere in a text; any other one where its
    words stand in a row as whole words.

    Example:
        >>> WordBlocklist(["bad", "very bad", "坏"]).hits("A very BAD day. Badly so. 破坏")
        3
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._words: set[str] = set()
        self._phrases: set[str] = set()
        self._substrings: set[str] = set()
        # First word of a phrase or first character of a substring -> lengths that occur, in words or
        # characters.
        phrase_lengths: dict[str, set[int]] = {}
        substring_lengths: dict[str, set[int]] = {}
        for raw in entries:
            entry = _normal(raw)
            words = _WORD.findall(entry)
            if _UNSPACED.search(entry):
                self._substrings.add(entry)
                substring_lengths.setdefault(entry[0], set()).add(len(entry))
            elif len(words) == 1:
                self._words.add(words[0])
            elif words:
                self._phrases.add(" ".join(words))
                phrase_lengths.setdefault(words[0], set()).add(len(words))
        self._phrase_lengths = {word: tuple(sorted(found)) for word, found in phrase_lengths.items()}
        self._substring_lengths = {char: tuple(sorted(found)) for char, found in substring_lengths.items()}

    def __len__(self) -> int:
        return len(self._words) + len(self._phrases) + len(self._substrings)

    def hits(self, text: str) -> int:
        """How many times an entry occurs in a text; overlapping ones count each."""
        normal = _normal(text)
        found = 0
        if self._words or self._phrases:
            words = _WORD.findall(normal)
            found += sum(word in self._words for word in words)
            if self._phrases:
                found += self._count_phrases(words)
        if self._substrings:
            found += self._count_substrings(normal)
        return found

    def _count_phrases(self, words: list[str]) -> int:
        lengths = self._phrase_lengths
        return sum(
            " ".join(words[place : place + length]) in self._phrases
            for place, word in enumerate(words)
            if word in lengths
            for length in lengths[word]
            if place + length <= len(words)
        )

    def _count_substrings(self, text: str) -> int:
        lengths = self._substring_lengths
        return sum(
            text[place : place + length] in self._substrings
            for place, char in enumerate(text)
            if char in lengths
            for length in lengths[char]
            if place + length <= len(text)
        )


def _normal(text: str) -> str:
    return nfc(text.casefold())
