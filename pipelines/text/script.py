"""The script of a text, as the Unicode names of its letters begin."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import groupby

CJK = "CJK"

_LOOKED_AT = 2000
"""Characters of a text that decide."""


def script_of(text: str, copied_from: str = "") -> str:
    """The script of most letters of a text, the first word of their Unicode names; empty: it has none.

    Args:
        text: Any text.
        copied_from: Another text: runs of letters that it has too, such as names and placeholders in both
            sides of a pair, do not count.

    >>> script_of("我喜欢编程 very")
    'CJK'
    >>> script_of("站点 %(object)s 已更新", "Site %(object)s updated")
    'CJK'
    """
    given = {run for _, run in _runs(copied_from)}
    counts: dict[str, int] = {}
    for script, run in _runs(text):
        if run not in given:
            counts[script] = counts.get(script, 0) + len(run)
    return max(counts, key=lambda name: (counts[name], name)) if counts else ""


def _runs(text: str) -> Iterator[tuple[str, str]]:
    """Letters of one script that stand together, in lower case, each with the script."""
    for script, letters in groupby(text[:_LOOKED_AT], key=_script):
        if script is not None:
            yield script, "".join(letters).lower()


def _script(char: str) -> str | None:
    return unicodedata.name(char, "").partition(" ")[0] if char.isalpha() else None
