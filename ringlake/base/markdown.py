"""Text from files and tables as Markdown shows it: as it is, on one line, and what hides in it visible."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode general categories (UAX 44, table 12) of characters that cannot be seen but can steer what is."""

MAX_CELL = 200
"""Characters shown of a name from a table."""

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|&~$^:@-])")


def hides(char: str) -> bool:
    """Whether a character cannot be seen."""
    return unicodedata.category(char) in HIDDEN_CATEGORIES


def plain(value: object) -> str:
    """A text on one line: what hides becomes `U+XXXX`, newlines and tabs become spaces."""
    text = "" if value is None else str(value)
    return "".join(" " if char in "\n\t" else f"U+{ord(char):04X}" if hides(char) else char for char in text)


def escaped(value: object, limit: int | None = MAX_CELL) -> str:
    """A text on one line whose characters all mean themselves in Markdown.

    Args:
        value: The text; None is an empty one.
        limit: Most characters shown; None: all of them.
    """
    line = plain(value)
    if limit is not None and len(line) > limit:
        line = line[:limit] + "…"
    return _MARKDOWN.sub(r"\\\1", line)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; its cells are Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def front_matter(values: Mapping[str, Any]) -> list[str]:
    """The lines that model and data set hubs read at the top of a README: YAML between two dashed lines."""
    # Here and not above: who only shows text needs none of it.
    from ringlake.base.trees import yaml_text

    return ["---", *yaml_text(dict(values)).rstrip("\n").split("\n"), "---"]
