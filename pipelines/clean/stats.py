"""What rules share about one text: split once, counted once, and only if a rule asks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TypeVar

from pipelines.clean.language import Language
from pipelines.clean.punctuation import SYMBOLS
from pipelines.clean.resources import EMPTY, Resources
from pipelines.clean.words import DEFAULT_SPLITTER, SPLITTERS

_Value = TypeVar("_Value")

_PARAGRAPH_BREAK = re.compile(r"\n{2,}")
_LINE_BREAKS = re.compile(r"\n+")


class TextStats:
    """The shared measurements of one text.

    Attributes:
        text: The text that is measured.
        splitter: Name of the word splitter.
        language: The likely languages of the document.
        languages: The languages that the profile wants; empty for all.
        url: The document's address, if it has one.
        resources: The user's lists and stop words.
    """

    def __init__(
        self,
        text: str,
        splitter: str = DEFAULT_SPLITTER,
        language: Language | None = None,
        languages: frozenset[str] = frozenset(),
        url: str | None = None,
        resources: Resources = EMPTY,
    ) -> None:
        self.text = text
        self.splitter = splitter
        self.language = language or Language()
        self.languages = languages
        self.url = url
        self.resources = resources
        self._computed: dict[object, object] = {}

    def with_text(self, text: str) -> TextStats:
        """The measurements of another text of the same document."""
        return TextStats(text, self.splitter, self.language, self.languages, self.url, self.resources)

    def once(self, key: object, compute: Callable[[], _Value]) -> _Value:
        """The value of `compute`, which is called once for a key: for what the rules of one paper share."""
        if key not in self._computed:
            self._computed[key] = compute()
        return self._computed[key]  # type: ignore[return-value]

    @cached_property
    def words(self) -> list[str]:
        """The words, by the splitter."""
        return SPLITTERS[self.splitter](self.text)

    @cached_property
    def num_words(self) -> int:
        """How many words there are, symbols included."""
        return len(self.words)

    @cached_property
    def non_symbol_words(self) -> list[str]:
        """The words that have a character which is no symbol."""
        return [word for word in self.words if not SYMBOLS.issuperset(word)]

    @cached_property
    def num_letters(self) -> int:
        """Characters that are letters in any script."""
        return sum(map(str.isalpha, self.text))

    @cached_property
    def num_visible(self) -> int:
        """Characters that are not white space."""
        return len(self.text) - sum(map(str.isspace, self.text))

    @cached_property
    def lines(self) -> list[str]:
        """All lines, blank ones included."""
        return self.text.splitlines()

    @cached_property
    def filled_lines(self) -> list[str]:
        """The lines between line feeds that are not blank, as they stand."""
        return [line for line in self.text.split("\n") if line.strip()]

    @cached_property
    def line_runs(self) -> list[str]:
        """The text parted at runs of line feeds; at the ends there can be an empty part."""
        return _LINE_BREAKS.split(self.text)

    @cached_property
    def paragraphs(self) -> list[str]:
        """The stripped text parted where two or more line feeds follow each other."""
        return _PARAGRAPH_BREAK.split(self.text.strip())


def share(part: float, whole: float) -> float:
    """`part / whole`, and 0 where there is no whole: a text without lines has no bad ones."""
    return part / whole if whole else 0.0


def duplicates(items: Sequence[str]) -> tuple[int, int]:
    """How many items occurred before in the sequence, and how many characters they have together.

    Example:
        >>> duplicates(["a", "bb", "bb", "a", "bb"])
        (3, 5)
    """
    seen: set[str] = set()
    num_items = num_chars = 0
    for item in items:
        if item in seen:
            num_items += 1
            num_chars += len(item)
        else:
            seen.add(item)
    return num_items, num_chars
