"""Texts without anything to read: empty, white space, or characters that show nothing.

Such a text passes for one in every count of bytes and characters, so that one definition decides for all:
separators, control and format characters (Unicode's general categories Z, Cc and Cf, without the Arabic and
Syriac signs of Cf that are seen), and what else Unicode calls default ignorable (DerivedCoreProperties:
joiners, fillers, variation selectors, tags), with the blank Braille pattern.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_CATEGORIES = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})

# Prepended_Concatenation_Mark (PropList): they are seen around the digits behind them.
_SEEN = (*range(0x0600, 0x0606), 0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD)

# Beyond it no character has these categories but the tags, which are default ignorable.
_LAST = 0x1FFFF

_IGNORABLE = (
    *((0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2065, 0x2065)),
    *((0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8)),
    (0xE0000, 0xE0FFF),
)


def is_blank(text: str) -> bool:
    """Whether a text shows nothing; it takes no longer than to find the first character that does."""
    return _visible().search(text) is None


def blanks(texts: pa.Array) -> npt.NDArray[np.bool_]:
    """Which texts of a column show nothing, bool of shape (texts,); a null is no text, and not among them."""
    found = pc.match_substring_regex(texts, _pattern())
    blank: npt.NDArray[np.bool_] = pc.invert(found).fill_null(False).to_numpy(zero_copy_only=False)
    return blank


@cache
def _visible() -> re.Pattern[str]:
    return re.compile(_pattern())


@cache
def _pattern() -> str:
    """A character class that Python's expressions and RE2's, which Arrow takes, read alike."""
    codes = {code for code in range(_LAST + 1) if unicodedata.category(chr(code)) in _CATEGORIES}
    codes.difference_update(_SEEN)
    for first, last in _IGNORABLE:
        codes.update(range(first, last + 1))
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "[^" + "".join(f"{_escaped(first)}-{_escaped(last)}" for first, last in ranges) + "]"


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else chr(code)
