"""Digits of any script and full-width forms as their ASCII counterparts, one character for one.

A text folded so has the same length, and what is found in it lies at the same place in the text itself.
"""

from __future__ import annotations

import unicodedata
from functools import cache


@cache
def _table() -> dict[int, str]:
    table = {
        code: str(unicodedata.digit(chr(code)))
        for code in range(0x80, 0x20000)
        if unicodedata.category(chr(code)) == "Nd"
    }
    # Full-width forms of the printable ASCII characters: U+FF01 to U+FF5E. Commas and the like too; they
    # separate words in both forms.
    table |= {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    return table


def fold(text: str) -> str:
    """The text with ASCII digits and without full-width forms."""
    return text.translate(_table())
