"""What is counted in the words and characters of many texts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipelines.clean.words import Words
from pipelines.jit import kernel
from pipelines.text.code_points import ALPHA, SYMBOL, Bytes, Characters, Codes, Index

STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
"""Gopher's: Rae et al. 2021, arXiv 2112.11446, A1.1."""

_U64 = npt.NDArray[np.uint64]

_DOT, _ELLIPSIS, _HASH = 0x2E, 0x2026, 0x23


@dataclass(frozen=True)
class WordCounts:
    """Counts of the words of some texts, each int64 of shape (texts,).

    Attributes:
        num_words: All words.
        num_chars: Their characters.
        num_non_symbol: Words with a character that is no symbol.
        non_symbol_chars: Characters of these.
        num_alphabetic: Words with a letter.
        num_stop_words: Different stop words that occur.
    """

    num_words: Index
    num_chars: Index
    num_non_symbol: Index
    non_symbol_chars: Index
    num_alphabetic: Index
    num_stop_words: Index


@dataclass(frozen=True)
class CharacterCounts:
    """Counts of the characters of some texts, each int64 of shape (texts,).

    Attributes:
        num_hashes: Hash signs.
        num_ellipses: Ellipses: the character, and three full stops, none counted in two of them.
        letter_bytes: UTF-8 bytes of the letters of any script.
    """

    num_hashes: Index
    num_ellipses: Index
    letter_bytes: Index


def count_words(characters: Characters, words: Words, stop_words: frozenset[str] = STOP_WORDS) -> WordCounts:
    """Counts words."""
    counts = _count_words(
        characters.codes, characters.kinds, words.starts, words.ends, words.bounds, *_word_table(stop_words)
    )
    return WordCounts(np.diff(words.bounds), *np.ascontiguousarray(counts.T))


def count_characters(characters: Characters) -> CharacterCounts:
    """Counts characters."""
    counts = _count_characters(characters.codes, characters.kinds, characters.bounds)
    return CharacterCounts(*np.ascontiguousarray(counts.T))


@lru_cache(maxsize=256)
def _word_table(words: frozenset[str]) -> tuple[Codes, Index, Index]:
    """A hash table of words: their characters, where each begins and the last one ends, and the slots."""
    ordered = sorted(words)
    codes = np.array([ord(character) for word in ordered for character in word], np.uint32)
    bounds = np.cumsum([0, *map(len, ordered)], dtype=np.int64)
    slots: Index = np.full(1 << (4 * len(ordered)).bit_length(), -1, np.int64)
    for number, word in enumerate(ordered):
        slot = _word_slot(word, slots.size)
        while slots[slot] >= 0:
            slot = (slot + 1) % slots.size
        slots[slot] = number
    return codes, bounds, slots


def _word_slot(word: str, size: int) -> int:
    state = 0
    for character in word:
        state = state * 31 + ord(character)
    return state % size


@kernel
def _number_in(table: Codes, table_bounds: Index, slots: Index, state: np.int64, codes: Codes) -> int:
    """The number of a word in a hash table, -1 if it is not there."""
    slot = state & (slots.size - 1)
    while slots[slot] >= 0:
        number = slots[slot]
        first = table_bounds[number]
        if table_bounds[number + 1] - first == codes.size:
            index = 0
            while index < codes.size and table[first + index] == codes[index]:
                index += 1
            if index == codes.size:
                return number
        slot = (slot + 1) & (slots.size - 1)
    return -1


@kernel
def _count_words(
    codes: Codes,
    kinds: Bytes,
    starts: Index,
    ends: Index,
    bounds: Index,
    table: Codes,
    table_bounds: Index,
    slots: Index,
) -> npt.NDArray[np.int64]:
    num_texts = bounds.size - 1
    counts = np.zeros((num_texts, 5), np.int64)
    found = np.zeros(table_bounds.size - 1, np.bool_)
    for text in range(num_texts):
        num_chars, num_non_symbol, non_symbol_chars, num_alphabetic = 0, 0, 0, 0
        found[:] = False
        for word in range(bounds[text], bounds[text + 1]):
            length = ends[word] - starts[word]
            num_chars += length
            every = np.uint8(0xFF)
            some = np.uint8(0)
            state = np.int64(0)
            for index in range(starts[word], ends[word]):
                every &= kinds[index]
                some |= kinds[index]
                state = state * np.int64(31) + np.int64(codes[index])
            if (every & SYMBOL) == 0:
                num_non_symbol += 1
                non_symbol_chars += length
            if (some & ALPHA) != 0:
                num_alphabetic += 1
            number = _number_in(table, table_bounds, slots, state, codes[starts[word] : ends[word]])
            if number >= 0:
                found[number] = True
        counts[text, 0] = num_chars
        counts[text, 1] = num_non_symbol
        counts[text, 2] = non_symbol_chars
        counts[text, 3] = num_alphabetic
        counts[text, 4] = found.sum()
    return counts


@kernel
def _count_characters(codes: Codes, kinds: Bytes, bounds: Index) -> npt.NDArray[np.int64]:
    num_texts = bounds.size - 1
    counts = np.zeros((num_texts, 3), np.int64)
    for text in range(num_texts):
        num_hashes, num_ellipses, letter_bytes, dots = 0, 0, 0, 0
        for index in range(bounds[text], bounds[text + 1]):
            code = codes[index]
            if (kinds[index] & ALPHA) != 0:
                letter_bytes += 1 + (code >= 0x80) + (code >= 0x800) + (code >= 0x10000)
            if code == _DOT:
                dots += 1
                if dots == 3:
                    num_ellipses += 1
                    dots = 0
            else:
                dots = 0
                num_hashes += code == _HASH
                num_ellipses += code == _ELLIPSIS
        counts[text, 0] = num_hashes
        counts[text, 1] = num_ellipses
        counts[text, 2] = letter_bytes
    return counts
