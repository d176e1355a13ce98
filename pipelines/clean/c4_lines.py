"""Pages as C4 sees them: their lines one by one, stripped, without citation marks, with all it asks of them.

The order of checks is that of C4's released code (c4_utils.py of TensorFlow Datasets). A variant of C4 is a
choice among the same lines, so they are looked at once for all variants.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.jit import kernel
from pipelines.text.code_points import (
    BREAK,
    DECIMAL,
    SPACE,
    TERMINAL,
    WORD,
    Bytes,
    Characters,
    Codes,
    Index,
    encode,
)

MAX_WORD_CHARS = 1000

LOREM_IPSUM = "lorem ipsum"
JAVASCRIPT = "javascript"
POLICIES = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
CITATIONS = ("[edit]", "[citation needed]")
END_MARKS = ".?!\"'"
# What may stand between the mark that ends a sentence and what follows.
CLOSERS = "\"'”’)]」』）】》〉"
# After these a sentence ends without white space.
IDEOGRAPHIC_MARKS = "。．！？｡"

# Bits of a line.
_LONG_WORD, _ENDED, _LOREM, _SCRIPT, _CURLY, _POLICY = 1, 2, 4, 8, 16, 32
# Bits of a character where sentences are counted.
_LOWER, _UPPER, _PUNCTUATION = 1, 2, 4
_KELVIN = 0x212A


def _phrases(phrases: tuple[str, ...]) -> npt.NDArray[np.uint32]:
    """Code points, uint32 of shape (phrases, length of the longest + 1), padded with zeros."""
    result = np.zeros((len(phrases), max(map(len, phrases)) + 1), np.uint32)
    for row, phrase in enumerate(phrases):
        result[row, : len(phrase)] = [ord(character) for character in phrase]
    return result


_PHRASES = _phrases((LOREM_IPSUM, JAVASCRIPT, *POLICIES))
_PHRASE_BITS = np.array([_LOREM, _SCRIPT, *[_POLICY] * len(POLICIES)], np.uint8)
# The second letter of the phrases that begin with a letter: phrases with the same first share the second.
_PHRASE_SECONDS = np.zeros(0x80, np.uint32)
_PHRASE_SECONDS[_PHRASES[:, 0]] = _PHRASES[:, 1]
_CITATION_CODES = _phrases(CITATIONS)
_END_CODES, _CLOSER_CODES, _IDEOGRAPHIC_CODES = (
    np.array([ord(character) for character in marks], np.uint32)
    for marks in (END_MARKS, CLOSERS, IDEOGRAPHIC_MARKS)
)


@dataclass(frozen=True)
class PageLines:
    """All lines of some texts (`str.splitlines`), stripped and without citation marks.

    Attributes:
        codes: Code points of the lines.
        kinds: Their kinds.
        starts: Where each line begins, int64 of shape (lines,).
        ends: Where it ends.
        num_words: Words by white space before citation marks were dropped.
        num_sentences: Sentences.
        facts: Bits of each line, uint8 of shape (lines,).
        bounds: Lines of each text, int64 of shape (texts + 1,).
    """

    codes: Codes
    kinds: Bytes
    starts: Index
    ends: Index
    num_words: Index
    num_sentences: Index
    facts: Bytes
    bounds: Index


@dataclass(frozen=True)
class Pages:
    """What a variant of C4 leaves of some texts.

    Attributes:
        kept: Whether a line stays, bool of shape (lines,).
        num_sentences: Sentences in the lines that stay, int64 of shape (texts,).
        has_lorem_ipsum: 1 if the placeholder text was in a line not yet dropped, int64 of shape (texts,).
        has_curly_bracket: 1 if an opening curly bracket was in a line not yet dropped.
    """

    kept: npt.NDArray[np.bool_]
    num_sentences: Index
    has_lorem_ipsum: Index
    has_curly_bracket: Index


def read_lines(characters: Characters) -> PageLines:
    """The lines of some texts."""
    return PageLines(
        *_read(
            characters.codes,
            characters.kinds,
            characters.bounds,
            _PHRASES,
            _PHRASE_BITS,
            _PHRASE_SECONDS,
            _CITATION_CODES,
            _END_CODES,
            _CLOSER_CODES,
            _IDEOGRAPHIC_CODES,
            _signs(),
        )
    )


def choose_lines(lines: PageLines, min_words: int, needs_end_mark: bool) -> Pages:
    """Which lines stay, and what is in them.

    Args:
        lines: All lines.
        min_words: Fewest words of a line.
        needs_end_mark: Whether a line must end with a terminal mark and not with an ellipsis.
    """
    facts = lines.facts
    kept = (facts & _LONG_WORD) == 0
    if needs_end_mark:
        kept &= (facts & _ENDED) != 0
    kept &= lines.num_words >= min_words
    lorem = kept & ((facts & _LOREM) != 0)
    kept &= (facts & _SCRIPT) == 0
    curly = kept & ((facts & _CURLY) != 0)
    kept &= (facts & _POLICY) == 0
    sentences = np.where(kept, lines.num_sentences, 0)
    return Pages(
        kept,
        _sums(sentences, lines.bounds),
        np.minimum(_sums(lorem, lines.bounds), 1),
        np.minimum(_sums(curly, lines.bounds), 1),
    )


def join_lines(lines: PageLines, kept: npt.NDArray[np.bool_]) -> pa.LargeStringArray:
    """The texts of the lines that stay, line feeds between them, white space at both ends stripped."""
    return encode(*_join(lines.codes, lines.kinds, lines.starts, lines.ends, lines.bounds, kept))


def _sums(values: npt.NDArray[np.generic], bounds: Index) -> Index:
    """The sum of each text's values."""
    total = np.concatenate((np.zeros(1, np.int64), np.cumsum(values, dtype=np.int64)))
    return total[bounds[1:]] - total[bounds[:-1]]


@cache
def _signs() -> Bytes:
    """Bits of the characters below 0x20000, where all that have any lie: uint8 of shape (0x20000,)."""
    signs = np.zeros(0x20000, np.uint8)
    for code in range(signs.size):
        character = chr(code)
        if character.islower():
            signs[code] = _LOWER
        elif character.isupper():
            signs[code] = _UPPER
        elif unicodedata.category(character).startswith("P"):
            signs[code] = _PUNCTUATION
    signs.flags.writeable = False
    return signs


@kernel
def _contains(codes: Codes, code: int) -> bool:
    found = False
    for index in range(codes.size):
        found |= codes[index] == code
    return found


@kernel
def _lower(code: int) -> int:
    """Of every character that is an ASCII letter in lower case, that letter."""
    if 0x41 <= code <= 0x5A:
        return code + 0x20
    return 0x6B if code == _KELVIN else code


@kernel
def _citation_end(codes: Codes, kinds: Bytes, start: int, end: int, citations: npt.NDArray[np.uint32]) -> int:
    """Where a citation mark that begins at an opening bracket ends; start if there is none."""
    index = start + 1
    while index < end and (kinds[index] & DECIMAL) != 0:
        index += 1
    if index < end and codes[index] == 0x5D:
        return index + 1
    for row in range(citations.shape[0]):
        place = 0
        while citations[row, place] != 0:
            if start + place >= end or codes[start + place] != citations[row, place]:
                break
            place += 1
        if citations[row, place] == 0:
            return start + place
    return start


@kernel
def _phrases_at(
    codes: Codes, index: int, end: int, phrases: npt.NDArray[np.uint32], bits: Bytes, first: int
) -> int:
    """Bits of the phrases that stand at index, whose character in lower case is `first`."""
    found = 0
    for row in range(phrases.shape[0]):
        if phrases[row, 0] != first:
            continue
        place = 1
        while phrases[row, place] != 0:
            if index + place >= end or _lower(codes[index + place]) != phrases[row, place]:
                break
            place += 1
        if phrases[row, place] == 0:
            found |= bits[row]
    return found


@kernel
def _count_sentences(
    codes: Codes, kinds: Bytes, start: int, end: int, closers: Codes, ideographic: Codes, signs: Bytes
) -> int:
    """Sentences of a line: one more where something else than punctuation follows the end of one.

    Marks end a sentence where white space or the line's end follows, closing quotes and brackets aside;
    ideographic ones always; a period also between a letter in lower case and one in upper case. Dots are no
    such marks, nor is a period behind a letter alone, an abbreviation's or a name's: "e.g. this", "J. Doe".
    """
    count = 0
    filled = False
    ended = False
    index = start
    while index < end:
        code = codes[index]
        kind = kinds[index]
        if (kind & SPACE) != 0:
            index += 1
            continue
        filled = True
        if (kind & TERMINAL) == 0:
            if ended and (code >= signs.size or (signs[code] & _PUNCTUATION) == 0):
                count += 1
                ended = False
            index += 1
            continue
        first = index
        always = False
        periods = True
        while index < end and (kinds[index] & TERMINAL) != 0:
            always |= _contains(ideographic, codes[index])
            periods &= codes[index] == 0x2E
            index += 1
        after = index
        while after < end and _contains(closers, codes[after]):
            after += 1
        free = after == end or (kinds[after] & SPACE) != 0
        if not periods:
            ended |= always or free
        elif index == first + 1:
            lone_letter = (
                first > start
                and (kinds[first - 1] & (WORD | DECIMAL)) == WORD
                and codes[first - 1] != 0x5F
                and (first - 2 < start or (kinds[first - 2] & WORD) == 0)
            )
            glued = (
                first > start
                and index < end
                and max(codes[first - 1], codes[index]) < signs.size
                and (signs[codes[first - 1]] & _LOWER) != 0
                and (signs[codes[index]] & _UPPER) != 0
            )
            ended |= glued or (free and not lone_letter)
    return count + filled


@kernel
def _read(
    codes: Codes,
    kinds: Bytes,
    bounds: Index,
    phrases: npt.NDArray[np.uint32],
    bits: Bytes,
    seconds: Codes,
    citations: npt.NDArray[np.uint32],
    end_marks: Codes,
    closers: Codes,
    ideographic: Codes,
    signs: Bytes,
) -> tuple[Codes, Bytes, Index, Index, Index, Index, Bytes, Index]:
    num_texts = bounds.size - 1
    num_lines = num_texts
    for index in range(codes.size):
        num_lines += (kinds[index] & BREAK) != 0
    out_codes = np.empty(codes.size, np.uint32)
    out_kinds = np.empty(codes.size, np.uint8)
    starts = np.empty(num_lines, np.int64)
    ends = np.empty(num_lines, np.int64)
    num_words = np.zeros(num_lines, np.int64)
    num_sentences = np.zeros(num_lines, np.int64)
    facts = np.zeros(num_lines, np.uint8)
    line_bounds = np.zeros(num_texts + 1, np.int64)
    place = 0
    line = 0
    for text in range(num_texts):
        index = bounds[text]
        text_end = bounds[text + 1]
        while index < text_end:
            start = index
            while index < text_end and (kinds[index] & BREAK) == 0:
                index += 1
            end = index
            if index + 1 < text_end and codes[index] == 0x0D and codes[index + 1] == 0x0A:
                index += 1
            index += 1
            while start < end and (kinds[start] & SPACE) != 0:
                start += 1
            while end > start and (kinds[end - 1] & SPACE) != 0:
                end -= 1

            fact = 0
            words = 0
            word = start
            first = place
            here = start
            while here < end:
                if (kinds[here] & SPACE) != 0:
                    word = here + 1
                elif here == word:
                    words += 1
                elif here - word == MAX_WORD_CHARS:
                    fact |= _LONG_WORD
                here += 1
            here = start
            while here < end:
                if codes[here] == 0x5B:
                    behind = _citation_end(codes, kinds, here, end, citations)
                    if behind > here:
                        here = behind
                        continue
                out_codes[place] = codes[here]
                out_kinds[place] = kinds[here]
                place += 1
                here += 1
            for here in range(first, place):
                code = out_codes[here]
                if code == 0x7B:
                    fact |= _CURLY
                lowered = _lower(code)
                if (
                    lowered < 0x80
                    and seconds[lowered] != 0
                    and here + 1 < place
                    and _lower(out_codes[here + 1]) == seconds[lowered]
                ):
                    fact |= _phrases_at(out_codes, here, place, phrases, bits, lowered)
            if place > first and _contains(end_marks, out_codes[place - 1]):
                ellipsis = (
                    place - first >= 3
                    and out_codes[place - 1] == 0x2E
                    and out_codes[place - 2] == 0x2E
                    and out_codes[place - 3] == 0x2E
                )
                if not ellipsis:
                    fact |= _ENDED
            starts[line] = first
            ends[line] = place
            num_words[line] = words
            num_sentences[line] = _count_sentences(
                out_codes, out_kinds, first, place, closers, ideographic, signs
            )
            facts[line] = fact
            line += 1
        line_bounds[text + 1] = line
    return (
        out_codes[:place],
        out_kinds[:place],
        starts[:line],
        ends[:line],
        num_words[:line],
        num_sentences[:line],
        facts[:line],
        line_bounds,
    )


@kernel
def _join(
    codes: Codes, kinds: Bytes, starts: Index, ends: Index, bounds: Index, kept: npt.NDArray[np.bool_]
) -> tuple[Codes, Index]:
    num_texts = bounds.size - 1
    out = np.empty(codes.size + starts.size, np.uint32)
    out_bounds = np.zeros(num_texts + 1, np.int64)
    place = 0
    for text in range(num_texts):
        begin = place
        filled = begin  # behind the last character that is no white space
        for line in range(bounds[text], bounds[text + 1]):
            if not kept[line]:
                continue
            if place > begin:
                out[place] = 0x0A
                place += 1
            for index in range(starts[line], ends[line]):
                space = (kinds[index] & SPACE) != 0
                if space and place == begin:
                    continue
                out[place] = codes[index]
                place += 1
                if not space:
                    filled = place
        place = filled
        out_bounds[text + 1] = place
    return out[:place], out_bounds
