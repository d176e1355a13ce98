"""Lines of prose among code, markup and tables: what the documentation profile looks for.

Prose has at least two words of two letters or more, and they are at least half of its characters, spaces
aside; it is no markup, no example of code and no signature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.clean.lines import Lines
from pipelines.jit import kernel
from pipelines.text.code_points import DECIMAL, SPACE, WORD, Bytes, Characters, Codes, Index

_MIN_LINE_WORDS = 2
_UNDERSCORE = ord("_")

# Lines that nobody wrote as a sentence, by how they begin: prompts of doctests, shells and notebooks, rows
# of tables; and those that begin with three marks of one of these kinds: rules, fences.
_OPENINGS = (">>>", "|", "In [", "Out[", "$ ")
_RULERS = "+=~^*#`-"


def _codes(text: str) -> Codes:
    return np.array([ord(character) for character in text], np.uint32)


_OPENING_CODES = np.zeros((len(_OPENINGS), 4), np.uint32)
for _row, _opening in enumerate(_OPENINGS):
    _OPENING_CODES[_row, : len(_opening)] = _codes(_opening)
_RULER_CODES = _codes(_RULERS)
_DEF_CODES, _CLASS_CODES = _codes("def "), _codes("class ")


@dataclass(frozen=True)
class Prose:
    """The lines that read as natural language in some texts, each int64 of shape (texts,).

    Attributes:
        num_words: Words of two letters or more in them.
        num_chars: Characters in them.
        num_repeated_chars: Characters in those of them that occurred before in the text.
    """

    num_words: Index
    num_chars: Index
    num_repeated_chars: Index


def find_prose(characters: Characters, lines: Lines) -> Prose:
    """The prose of some texts."""
    counts = _find(
        characters.codes,
        characters.kinds,
        lines.starts,
        lines.ends,
        lines.repeated,
        lines.bounds,
        _OPENING_CODES,
        _RULER_CODES,
        _DEF_CODES,
        _CLASS_CODES,
    )
    return Prose(*np.ascontiguousarray(counts.T))


@kernel
def _skip_space(kinds: Bytes, index: int, end: int) -> int:
    while index < end and (kinds[index] & SPACE) != 0:
        index += 1
    return index


@kernel
def _skip(codes: Codes, index: int, end: int, word: Codes) -> int:
    """Behind `word` if it stands at index, else index."""
    if end - index < word.size:
        return index
    for place in range(word.size):
        if codes[index + place] != word[place]:
            return index
    return index + word.size


@kernel
def _is_markup(
    codes: Codes, kinds: Bytes, index: int, end: int, openings: npt.NDArray[np.uint32], rulers: Codes
) -> bool:
    r"""Whether `>>>|\.\.\.(?:\s|$)|\.\.\s|\||[+=~^*#`-]{3,}|In \[|Out\[|\$ |%\w` matches at index."""
    for row in range(openings.shape[0]):
        for place in range(openings.shape[1] + 1):
            if place == openings.shape[1] or openings[row, place] == 0:
                return True
            if index + place >= end or codes[index + place] != openings[row, place]:
                break
    run = 0
    while index + run < end and run < 3:
        ruler = False
        for place in range(rulers.size):
            ruler |= codes[index + run] == rulers[place]
        if not ruler:
            break
        run += 1
    if run == 3:
        return True
    if index + 1 >= end:
        return False
    if codes[index] == 0x25:
        return (kinds[index + 1] & WORD) != 0
    if codes[index] == 0x2E and codes[index + 1] == 0x2E and index + 2 < end:
        third = index + 2
        if (kinds[third] & SPACE) != 0:
            return True
        if codes[third] == 0x2E:
            return third + 1 == end or (kinds[third + 1] & SPACE) != 0
    return False


@kernel
def _is_signature(codes: Codes, kinds: Bytes, index: int, end: int, define: Codes, class_: Codes) -> bool:
    """Whether a call with an optional result stands at index and nothing else, brackets at most two deep."""
    begin = index
    index = _skip(codes, index, end, define)
    if index == begin:
        index = _skip(codes, index, end, class_)
    name = index
    while index < end and ((kinds[index] & WORD) != 0 or codes[index] == 0x2E):
        index += 1
    if index in (name, end) or codes[index] != 0x28:
        return False
    depth = 1
    index += 1
    while index < end and depth > 0:
        if codes[index] == 0x28:
            depth += 1
            if depth > 2:
                return False
        elif codes[index] == 0x29:
            depth -= 1
        index += 1
    if depth > 0:
        return False
    index = _skip_space(kinds, index, end)
    if index + 1 < end and codes[index] == 0x2D and codes[index + 1] == 0x3E:
        return True
    if index < end and codes[index] == 0x3A:
        index = _skip_space(kinds, index + 1, end)
    return index == end


@kernel
def _find(
    codes: Codes,
    kinds: Bytes,
    starts: Index,
    ends: Index,
    repeated: npt.NDArray[np.bool_],
    bounds: Index,
    openings: npt.NDArray[np.uint32],
    rulers: Codes,
    define: Codes,
    class_: Codes,
) -> npt.NDArray[np.int64]:
    num_texts = bounds.size - 1
    counts = np.zeros((num_texts, 3), np.int64)
    for text in range(num_texts):
        for line in range(bounds[text], bounds[text + 1]):
            start, end = starts[line], ends[line]
            num_words, word_chars, num_spaces, num_brackets, run = 0, 0, 0, 0, 0
            for index in range(start, end + 1):
                if index < end:
                    code = codes[index]
                    num_spaces += code == 0x20
                    num_brackets += code == 0x28
                    if (kinds[index] & (WORD | DECIMAL)) == WORD and code != _UNDERSCORE:
                        run += 1
                        continue
                if run >= 2:
                    num_words += 1
                    word_chars += run
                run = 0
            if num_words < _MIN_LINE_WORDS or 2 * word_chars < end - start - num_spaces:
                continue
            first = _skip_space(kinds, start, end)
            if _is_markup(codes, kinds, first, end, openings, rulers):
                continue
            if num_brackets > 0 and _is_signature(codes, kinds, first, end, define, class_):
                continue
            counts[text, 0] += num_words
            counts[text, 1] += end - start
            if repeated[line]:
                counts[text, 2] += end - start
    return counts
