"""Markdown as GitHub reads it: text that is shown as it is, and tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPANS = re.compile(r"(`[^`]+`)")
_SPECIAL = re.compile(r"[\\*\[\]|~$]|(?<!\w)_|_(?!\w)|(?<=\s)#|^[#>+-]")


def escaped(text: str) -> str:
    """Text of which nothing is markup but what stands between backticks, in one line.

    >>> escaped("a <b> of `c*d`")
    'a &lt;b&gt; of `c*d`'
    """
    parts = _SPANS.split(" ".join(text.split()))
    return "".join(
        part if index % 2 else _SPECIAL.sub(r"\\\g<0>", _entities(part)).replace("`", "\\`")
        for index, part in enumerate(parts)
    )


def code(text: str) -> str:
    """Text in a code span, longer fences around text that has backticks itself.

    >>> code("a`b")
    '``a`b``'
    """
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; its cells are Markdown already, their bars are escaped here where that is not done."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(_bars(cell) for cell in line) + " |\n" for line in lines)


def _bars(cell: str) -> str:
    # In a table a bar ends its cell, between backticks too.
    return re.sub(r"(?<!\\)\|", r"\\|", cell)


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
