"""Text of the report: hostile characters made visible, long text cut, numbers as people read them."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Sequence

from markupsafe import Markup, escape

from ringlake.base import markdown

_AFTER_SIGN = re.compile(r"(?<=[./])(?=[^./]{4})")

MAX_MARKS = 4
"""Combining marks in a row that are shown; text for people needs at most four, stacks of more cover lines."""

plain = markdown.plain
"""The same text as `visible` gives for an attribute or a chart."""


def visible(value: object, limit: int | None = None) -> Markup:
    """Escaped HTML of a text from a table, with every character that hides made visible.

    Control, bidirectional, zero-width, private and unassigned characters become `U+XXXX` in a box;
    newlines and tabs stay. The result may stand in an element, but not in an attribute.

    Args:
        value: The text; None is an empty one.
        limit: Most characters shown; what is cut is said. None: all of them.
    """
    text = "" if value is None else str(value)
    cut = limit is not None and len(text) > limit
    parts: list[Markup] = []
    plain: list[str] = []
    marks = 0
    for char in text[:limit] if cut else text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if char in "\n\t" or not (markdown.hides(char) or marks > MAX_MARKS):
            plain.append(char)
            continue
        parts += [
            escape("".join(plain)),
            Markup('<span class="code-point">U+{:04X}</span>').format(ord(char)),
        ]
        plain.clear()
    parts.append(escape("".join(plain)))
    if cut:
        parts.append(Markup('<span class="cut" title="cut here">…</span>'))
    return Markup("").join(parts)


def name(value: object) -> Markup:
    """A long name or path as `visible` shows it, that may break after a dot or a slash."""
    parts = _AFTER_SIGN.split("" if value is None else str(value))
    return Markup("<wbr>").join(visible(part) for part in parts)


def count(value: int | None) -> str:
    """66123 -> '66,123'; None, which means not known, -> '–'."""
    return "–" if value is None else f"{value:,}"


def short(value: float | None) -> str:
    """A count with three digits: 66123 -> '66.1 k', 12345678 -> '12.3 M'."""
    if value is None:
        return "–"
    return _scaled(float(value), 1000, ("", " k", " M", " G", " T"))


def size(num_bytes: float | None) -> str:
    """Bytes in decimal units: 28135506 -> '28.1 MB'."""
    if num_bytes is None:
        return "–"
    return _scaled(float(num_bytes), 1000, (" B", " kB", " MB", " GB", " TB", " PB"))


def share(part: float | None, whole: float | None) -> str:
    """A part of a whole in percent, '–' where there is no whole; never 0% for some or 100% for not all."""
    if part is None or not whole:
        return "–"
    percent = 100 * part / whole
    if part and percent < 0.1:
        return "<0.1%"
    if part < whole and percent > 99.9:
        return ">99.9%"
    return f"{percent:.1f}%"


def duration(seconds: float | None) -> str:
    """Seconds for people: 7.25 -> '7.3 s', 754 -> '12 min 34 s', 7384 -> '2 h 3 min'."""
    if seconds is None:
        return "–"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def decimal(value: float | None, digits: int = 3) -> str:
    """A measured value with a fixed number of decimals."""
    return "–" if value is None else f"{value:,.{digits}f}"


def measure(value: float | None) -> str:
    """A value of unknown scale with three significant digits: 0.66667 -> '0.667', 12.0 -> '12'."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def shell(words: Sequence[str]) -> str:
    """Words as a command line to paste into a shell, with the quotes that read best."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)


def _scaled(value: float, base: int, units: tuple[str, ...]) -> str:
    index = 0
    while abs(value) >= base and index < len(units) - 1:
        value /= base
        index += 1
    if index == 0:
        return f"{value:,.0f}{units[0]}"
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{digits}f}{units[index]}"
