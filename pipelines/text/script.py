"""The script of a text, as the Unicode names of its letters begin."""

from __future__ import annotations

import unicodedata

CJK = "CJK"


def script_of(text: str) -> str:
    """The script of most letters of a text, the first word of their Unicode names; empty: it has none.

    >>> script_of("我喜欢编程 very")
    'CJK'
    """
    counts: dict[str, int] = {}
    for char in text[:2000]:
        if char.isalpha():
            name = unicodedata.name(char, "").partition(" ")[0]
            counts[name] = counts.get(name, 0) + 1
    return max(counts, key=lambda name: (counts[name], name)) if counts else ""
