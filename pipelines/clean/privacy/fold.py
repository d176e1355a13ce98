"""Digits of any script, full-width letters and marks of addresses as their ASCII counterparts.

Each character becomes one character: a text folded so has the same length, and what is found in it lies at
the same place in the text itself.
"""

from __future__ import annotations

import string
import unicodedata
from functools import cache

_FOLDED = string.ascii_letters + string.digits + "+-.@()_/"


@cache
def _table() -> dict[int, str]:
    table = {
        code: str(unicodedata.digit(chr(code)))
        for code in range(0x80, 0x20000)
        if unicodedata.category(chr(code)) == "Nd"
    }
    # A full-width comma or colon parts words, however close a number stands to it: it stays what it is.
    table |= {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if chr(code - 0xFEE0) in _FOLDED}
    return table


def fold(text: str) -> str:
    """The text with ASCII digits, and ASCII letters for full-width ones."""
    return text.translate(_table())
