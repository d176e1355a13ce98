"""What rules share about a batch of texts: decoded, split and counted once, and only if a rule asks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.clean.c4_lines import PageLines, read_lines
from pipelines.clean.counts import STOP_WORDS, CharacterCounts, WordCounts, count_characters, count_words
from pipelines.clean.language import Languages
from pipelines.clean.lines import Lines, count_lines
from pipelines.clean.ngrams import repetition
from pipelines.clean.prose import Prose, find_prose
from pipelines.clean.resources import EMPTY, Resources
from pipelines.clean.words import DEFAULT_SPLITTER, Words, split
from pipelines.text.code_points import Characters, Index, decode

Values = npt.NDArray[np.float64]

_Value = TypeVar("_Value")


class BatchStats:
    """The shared measurements of some texts.

    Attributes:
        texts: The texts that are measured.
        splitter: Name of the word splitter.
        languages: The likely languages of the documents.
        wanted: The languages that the profile wants; empty for all.
        stop_words: The words that Gopher's rule on stop words counts.
        urls: The documents' addresses, null where there is none; None: there is none at all.
        resources: The user's lists.
    """

    def __init__(
        self,
        texts: pa.LargeStringArray,
        splitter: str = DEFAULT_SPLITTER,
        languages: Languages | None = None,
        wanted: frozenset[str] = frozenset(),
        stop_words: frozenset[str] = STOP_WORDS,
        urls: pa.Array | None = None,
        resources: Resources = EMPTY,
    ) -> None:
        self.texts = texts
        self.splitter = splitter
        self.languages = languages or Languages.unknown(len(texts))
        self.wanted = wanted
        self.stop_words = stop_words
        self.urls = urls
        self.resources = resources
        self._computed: dict[object, object] = {}

    def __len__(self) -> int:
        """How many texts there are."""
        return len(self.texts)

    def with_texts(self, texts: pa.LargeStringArray) -> BatchStats:
        """The measurements of other texts of the same documents."""
        return BatchStats(
            texts, self.splitter, self.languages, self.wanted, self.stop_words, self.urls, self.resources
        )

    def take(self, rows: Index) -> BatchStats:
        """The measurements of some of the documents."""
        chosen = pa.array(rows)
        return BatchStats(
            self.texts.take(chosen),
            self.splitter,
            self.languages.take(rows),
            self.wanted,
            self.stop_words,
            None if self.urls is None else self.urls.take(chosen),
            self.resources,
        )

    def once(self, key: object, compute: Callable[[], _Value]) -> _Value:
        """The value of `compute`, which is called once for a key: for what the rules of one paper share."""
        if key not in self._computed:
            self._computed[key] = compute()
        return self._computed[key]  # type: ignore[return-value]

    @cached_property
    def characters(self) -> Characters:
        """The characters and their kinds."""
        return decode(self.texts)

    @cached_property
    def words(self) -> Words:
        """The words, by the splitter."""
        return split(self.characters, self.splitter)

    @property
    def num_words(self) -> Index:
        """How many words each text has, symbols included."""
        return np.diff(self.words.bounds)

    @property
    def num_chars(self) -> Index:
        """How many characters each text has."""
        return self.characters.lengths

    @cached_property
    def word_counts(self) -> WordCounts:
        """What is counted in the words."""
        return count_words(self.characters, self.words, self.stop_words)

    @cached_property
    def character_counts(self) -> CharacterCounts:
        """What is counted in the characters."""
        return count_characters(self.characters)

    @cached_property
    def lines(self) -> Lines:
        """Lines and paragraphs, and which repeat an earlier one."""
        return count_lines(self.characters)

    @cached_property
    def repetition(self) -> Index:
        """Characters in repeated n-grams, see `ngrams.repetition`."""
        return repetition(self.characters, self.words)

    @cached_property
    def prose(self) -> Prose:
        """The lines of prose."""
        return find_prose(self.characters, self.lines)

    @cached_property
    def page_lines(self) -> PageLines:
        """The lines as C4 sees them."""
        return read_lines(self.characters)


def share(part: npt.NDArray[np.generic], whole: npt.NDArray[np.generic]) -> Values:
    """`part / whole`, and 0 where there is no whole: a text without lines has no bad ones.

    Example:
        >>> share(np.array([1, 3]), np.array([2, 0])).tolist()
        [0.5, 0.0]
    """
    result = np.zeros(len(part), np.float64)
    return np.divide(part, whole, out=result, where=whole != 0)
