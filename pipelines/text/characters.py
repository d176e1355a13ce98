"""What a character is to the word splitter: part of a word, a word of its own, or a separator.

Categories are those of the Unicode character database of the running Python.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

SEPARATOR, WORD, LONE = 0, 1, 2

TABLE_SIZE = 0x40000
"""Characters from here on (private use, variation selectors) separate words."""

WORD_CATEGORIES = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc"})
"""Letters, marks, numbers and connectors such as the underscore: what `\\w` means in Unicode Technical
Standard 18, annex C, with all numbers counted in."""

LONE_RANGES = (
    (0x0E00, 0x0E7F),  # Thai
    (0x0E80, 0x0EFF),  # Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark, zero
    (0x3040, 0x30FF),  # Hiragana and Katakana
    (0x31F0, 0x31FF),  # Katakana phonetic extensions
    (0x3400, 0x4DBF),  # CJK extension A
    (0x4E00, 0x9FFF),  # CJK unified ideographs
    (0xF900, 0xFAFF),  # CJK compatibility ideographs
    (0xFF66, 0xFF9F),  # halfwidth Katakana
    (0x1AFF0, 0x1B16F),  # Kana extensions
    (0x20000, 0x3FFFF),  # CJK extensions B and later
)
"""Scripts written without spaces: each of their characters is a word of its own."""


@cache
def character_classes() -> npt.NDArray[np.uint8]:
    """The class of every character below TABLE_SIZE, uint8 of shape (TABLE_SIZE,), read-only."""
    category = unicodedata.category
    classes = np.fromiter(
        (WORD if category(chr(code)) in WORD_CATEGORIES else SEPARATOR for code in range(TABLE_SIZE)),
        dtype=np.uint8,
        count=TABLE_SIZE,
    )
    for first, last in LONE_RANGES:
        block = classes[first : last + 1]
        block[block == WORD] = LONE
    classes.flags.writeable = False
    return classes
