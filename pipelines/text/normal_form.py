r"""Unicode's normal form C in time linear in the length of a text, whatever the text is.

Combining marks have to be sorted by their class, and `unicodedata` sorts a run of them by insertion: 160 kB
of marks took 5 s, twice as many four times that. Here a long run is put in order first, which changes
nothing of what the text is equivalent to (Unicode Standard, D108 to D110), so that the insertion finds every
mark where it belongs.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Literal

LONG_RUN = 32
"""Marks that are left to insertion: at most half a thousand exchanges. Real text has three in a row."""


def nfc(text: str) -> str:
    """The text in normal form C: what `unicodedata.normalize("NFC", text)` gives.

    Example:
        >>> nfc("e" + "\u0301" + "\u0323" * 40) == unicodedata.normalize("NFC", "e\u0301" + "\u0323" * 40)
        True
    """
    if has_long_run(text):
        text = _run(LONG_RUN, "NFD").sub(_in_order, text)
    return unicodedata.normalize("NFC", text)


def has_long_run(text: str, least: int = LONG_RUN, form: Literal["NFD", "NFKD"] = "NFD") -> bool:
    """Whether a text has so many characters in a row that are, or decompose into, marks alone.

    Args:
        text: The text.
        least: Characters of such a run.
        form: How they are decomposed.
    """
    if text.isascii():
        return False
    # A long run has two of every so many characters, and these are looked through in no time.
    sampled = _run(2, form).search(text[:: least // 2])
    return sampled is not None and _run(least, form).search(text) is not None


def _in_order(run: re.Match[str]) -> str:
    return "".join(sorted(run.group().translate(_decomposed("NFD")), key=unicodedata.combining))


@cache
def _decomposed(form: Literal["NFD", "NFKD"]) -> dict[int, str]:
    """Every character that is, or decomposes into, marks alone, and into which."""
    found = {}
    for code in range(0x300, 0x1F000):
        whole = unicodedata.normalize(form, chr(code))
        if all(map(unicodedata.combining, whole)):
            found[code] = whole
    return found


@cache
def _run(least: int, form: Literal["NFD", "NFKD"]) -> re.Pattern[str]:
    """So many marks in a row, or more."""
    ranges: list[list[int]] = []
    for code in sorted(_decomposed(form)):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    marks = "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
    return re.compile(f"[{marks}]{{{least},}}")
