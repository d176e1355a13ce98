"""What counts as a word: named splitters, because rules that count words depend on it.

With punctuation marks as words, Gopher's rule that 80% of the words have a letter turns away far more
technical texts than with white-space splitting. Scripts written without spaces have no words by white space
or by character class; ICU's dictionaries part them (Chinese, Japanese, Thai, Lao, Khmer, Burmese).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.jit import kernel
from pipelines.text.code_points import SPACE, UNSPACED, WORD, Bytes, Characters, Index

DEFAULT_SPLITTER = "word_or_punct+icu"

SPLITTERS: dict[str, str] = {
    "word_or_punct+icu": "Runs of word characters, each other mark by itself; scripts without spaces by ICU.",
    "word_or_punct": "Runs of word characters, and each other mark by itself, in every script.",
    # Dolma's: Soldaini et al. 2024, arXiv 2402.00159.
    "whitespace": "Runs of anything but white space.",
    "icu": "Segments of ICU's word breaker that are not white space.",
}
"""Name and meaning of every splitter."""

_BY_CLASS, _BY_SPACE = 0, 1


@dataclass(frozen=True)
class Words:
    """The words of some texts, in order; none has white space in it.

    Attributes:
        starts: First character of each word, int64 of shape (words,), counted through all texts.
        ends: Behind its last character, int64 of shape (words,).
        bounds: Where the words of each text begin and those of the last one end, int64 of shape (texts + 1,).
    """

    starts: Index
    ends: Index
    bounds: Index


def split(characters: Characters, splitter: str) -> Words:
    """The words of some texts by a splitter of SPLITTERS."""
    kinds = characters.kinds
    mode = _BY_SPACE if splitter in {"whitespace", "icu"} else _BY_CLASS
    cuts = np.zeros(0, np.uint8)
    if splitter == "icu":
        cuts = _segments(characters, characters.bounds[:-1], characters.bounds[1:])
    elif splitter == "word_or_punct+icu" and bool(np.any(kinds & UNSPACED)):
        cuts = _segments(characters, *_unspaced_runs(kinds, characters.bounds))
    return Words(*_split(kinds, characters.bounds, mode, cuts))


def _segments(characters: Characters, starts: Index, ends: Index) -> Bytes:
    """1 where ICU begins a segment in the runs of characters given, uint8 of shape (characters,).

    The locale says nothing of the language of a run; ICU chooses its dictionary by the script.
    """
    from icu4py.breakers import WordBreaker

    # ICU always parts at a line feed, so one between the runs keeps them apart in one call.
    places = _places(starts, ends)
    codes = np.append(characters.codes, np.uint32(ord("\n")))[places]
    lengths = np.fromiter(map(len, WordBreaker(codes.tobytes().decode("utf-32-le"), "en")), np.int64)
    begun = places[np.cumsum(lengths) - lengths]
    cuts = np.zeros(characters.kinds.size, np.uint8)
    cuts[begun[begun >= 0]] = 1
    return cuts


@kernel
def _places(starts: Index, ends: Index) -> Index:
    """The characters of some runs one after another, with -1 behind each run."""
    places = np.empty((ends - starts).sum() + starts.size, np.int64)
    count = 0
    for run in range(starts.size):
        for index in range(starts[run], ends[run]):
            places[count] = index
            count += 1
        places[count] = -1
        count += 1
    return places


@kernel
def _unspaced_runs(kinds: Bytes, bounds: Index) -> tuple[Index, Index]:
    """Where runs of characters of scripts without spaces begin and end; none goes over a text's end."""
    starts = np.empty(kinds.size // 2 + bounds.size, np.int64)
    ends = np.empty(starts.size, np.int64)
    count = 0
    for text in range(bounds.size - 1):
        inside = False
        for index in range(bounds[text], bounds[text + 1]):
            unspaced = (kinds[index] & UNSPACED) != 0
            if unspaced and not inside:
                starts[count] = index
            elif inside and not unspaced:
                ends[count] = index
                count += 1
            inside = unspaced
        if inside:
            ends[count] = bounds[text + 1]
            count += 1
    return starts[:count], ends[:count]


@kernel
def _split(kinds: Bytes, bounds: Index, mode: int, cuts: Bytes) -> tuple[Index, Index, Index]:
    """Words of every text. With cuts, a word also begins at each cut, and where a script begins or ends."""
    starts = np.empty(kinds.size, np.int64)
    ends = np.empty(kinds.size, np.int64)
    word_bounds = np.zeros(bounds.size, np.int64)
    has_cuts = cuts.size > 0
    # In which class of characters the word is that is being read; 0 for none, 3 for a script without spaces.
    count = 0
    for text in range(bounds.size - 1):
        inside = 0
        for index in range(bounds[text], bounds[text + 1]):
            kind = kinds[index]
            if kind & SPACE:
                now = 0
            elif mode == _BY_SPACE:
                now = 1
            elif has_cuts and kind & UNSPACED:
                now = 3
            else:
                now = 1 if kind & WORD else 2
            if now != inside or now == 2 or (has_cuts and now and cuts[index]):
                if inside:
                    ends[count] = index
                    count += 1
                if now:
                    starts[count] = index
            inside = now
        if inside:
            ends[count] = bounds[text + 1]
            count += 1
        word_bounds[text + 1] = count
    return starts[:count], ends[:count], word_bounds
