"""One cheap look at a text that says which detectors can find anything in it.

Most texts have no digit runs, no at-signs and no long tokens; this pass of machine code over their UTF-8
bytes is all that privacy costs them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipelines.jit import kernel

AT = 1
"""An at-sign, also as URLs and HTML write it."""
DOTTED = 2
"""Three dots or more in a run of digits and dots: an IPv4 address is one."""
COLONS = 4
"""Two colons in a row, or seven, in a run of hexadecimal digits and colons: an IPv6 address is one."""
DIGITS = 8
"""Seven digits or more with nothing but separators between them, at most three in a row."""
LONG_DIGITS = 16
"""The same with twelve digits: payment cards."""
TOKEN = 32
"""A run of at least 16 letters, digits, hyphens and underscores with 12 letters or digits: keys."""
CODED = 64
"""Five digits or more in a run of letters, digits and single separators: national ids."""
DASHES = 128
"""Four hyphens with B or E behind or Y or K before them: the marks of a PEM block."""
FOLDABLE = 256
"""Digits of other scripts or full-width forms, which are looked at as their ASCII counterparts."""
IBAN_START = 512
"""Two letters and two digits at the beginning of a word."""

MIN_PHONE_DIGITS = 7
MIN_CARD_DIGITS = 12
MIN_CODE_DIGITS = 5
MIN_TOKEN = 16
MIN_TOKEN_LETTERS = 12
MAX_SEPARATORS = 3


def traits(text: str) -> int:
    """The traits of a text as a sum of the bits above."""
    return int(_scan(np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)))


def traits_of(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The traits of many texts, int64 of shape (texts,).

    Args:
        data: UTF-8 of the texts, one behind the other.
        offsets: Where each text begins and the last one ends, int64 of shape (texts + 1,).
    """
    return _scan_all(data, offsets)


@kernel
def _scan_all(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    found = np.empty(offsets.size - 1, np.int64)
    for text in range(found.size):
        found[text] = _scan(data[offsets[text] : offsets[text + 1]])
    return found


@kernel
def _scan(data: npt.NDArray[np.uint8]) -> int:
    found = 0
    dots = dotted_digits = 0
    colons = hexes = double = 0
    digits = gap = 0
    token = token_letters = 0
    code_digits = code_gap = 0
    hyphens = 0
    marked = 0
    word = 0
    last = older = 0
    for byte in data:
        is_digit = 48 <= byte <= 57
        lower = byte | 32
        is_letter = 97 <= lower <= 122
        if byte == 64:
            found |= AT
        # %40, &#64; and &#x40;
        if (byte == 48 and last == 52 and (older == 37 or older | 32 == 120)) or (
            byte == 52 and last == 54 and older == 35
        ):
            found |= AT
        # Runs of digits and dots.
        if is_digit:
            dotted_digits += 1
        elif byte == 46:
            dots += 1
            if dots >= 3 and dotted_digits >= 3:
                found |= DOTTED
        else:
            dots = dotted_digits = 0
        # Runs of hexadecimal digits and colons.
        if byte == 58:
            colons += 1
            if last == 58:
                double = 1
            if colons >= 7:
                found |= COLONS
        elif is_digit or 97 <= lower <= 102:
            hexes += 1
        else:
            colons = hexes = double = 0
        if double and hexes:
            found |= COLONS
        # Digits and their separators: spaces and hyphens of several kinds, ( ) + . /
        if is_digit:
            digits += 1
            gap = 0
            if digits >= MIN_PHONE_DIGITS:
                found |= DIGITS
            if digits >= MIN_CARD_DIGITS:
                found |= LONG_DIGITS
        elif byte in (32, 40, 41, 43, 45, 46, 47, 95, 0xC2, 0xA0, 0xE2, 0xE3, 0x80):
            gap += 1
            if gap > 2 * MAX_SEPARATORS:
                digits = 0
        elif not (last == 0x80 and (0x82 <= byte <= 0x8A or 0x90 <= byte <= 0x95 or byte == 0xAF)):
            digits = 0
        # Tokens.
        if is_digit or is_letter:
            token += 1
            token_letters += 1
        elif byte in (45, 95):
            token += 1
        else:
            token = token_letters = 0
        if token >= MIN_TOKEN and token_letters >= MIN_TOKEN_LETTERS:
            found |= TOKEN
        # Letters and digits with single separators.
        if is_digit:
            code_digits += 1
            code_gap = 0
            if code_digits >= MIN_CODE_DIGITS:
                found |= CODED
        elif is_letter:
            code_gap = 0
        elif byte in (32, 45, 46, 47):
            code_gap += 1
            if code_gap > 1:
                code_digits = 0
        elif byte not in (0xC2, 0xA0, 0xE2, 0xE3, 0x80) and not (
            last == 0x80 and (0x82 <= byte <= 0x8A or 0x90 <= byte <= 0x95 or byte == 0xAF)
        ):
            code_digits = 0
        # How far a word is of the form of an IBAN's beginning; 5 means that it is none.
        if not (is_digit or is_letter):
            word = 0
        elif word < 4:
            word = word + 1 if is_letter == (word < 2) else 5
            if word == 4:
                found |= IBAN_START
        # Four hyphens beside the letters of a mark, with a space between them or none.
        if byte == 45:
            if hyphens == 0:
                marked = last in (89, 75) or (last == 32 and older in (89, 75))
            hyphens += 1
            if hyphens >= 4 and marked:
                found |= DASHES
        elif hyphens >= 4 and (byte in (66, 69)):
            found |= DASHES
        elif byte != 32 or last != 45:
            hyphens = 0
        # Arabic digits: two bytes.
        if (last == 0xD9 and 0xA0 <= byte <= 0xA9) or (last == 0xDB and 0xB0 <= byte <= 0xB9):
            found |= FOLDABLE
        # Full-width + - . and digits, @ and letters; commas and brackets are in every Chinese text.
        if older == 0xEF and (
            (last == 0xBC and (byte in (0x8B, 0x8D, 0x8E) or 0x90 <= byte <= 0x99 or 0xA0 <= byte <= 0xBA))
            or (last == 0xBD and 0x81 <= byte <= 0x9A)
        ):
            found |= FOLDABLE
        # Devanagari to Malayalam, Thai and Lao, Tibetan: three bytes, the last of which is a digit's.
        if older == 0xE0 and (
            (0xA6 <= byte <= 0xAF and last & 1 and 0xA5 <= last <= 0xB5)
            or (0x90 <= byte <= 0x99 and (last == 0xB9 or last == 0xBB))  # noqa: PLR1714
            or (0xA0 <= byte <= 0xA9 and last == 0xBC)
        ):
            found |= FOLDABLE
        older = last
        last = byte
    return found
