"""Plain tables for a terminal: every value made printable, columns cut so that a row fits the width."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.run.console import printable

MAX_CELL = 2000


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: set[int] | None = None) -> str:
    """A table as text, its columns as wide as they need be."""
    return _render(header, rows, right or set(), width=10_000, wrap=False)


def fitted(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that fits the terminal, long values cut with an ellipsis."""
    width = shutil.get_terminal_size((160, 24)).columns if sys.stdout.isatty() else 160
    return _render(header, rows, set(), width=width, wrap=True)


def _render(
    header: Sequence[str], rows: Sequence[Sequence[str]], right: set[int], width: int, wrap: bool
) -> str:
    result = Table(box=None, pad_edge=False)
    for index, name in enumerate(header):
        result.add_column(
            Text(name),
            justify="right" if index in right else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=4,
        )
    for row in rows:
        result.add_row(*(Text(_flat(value)) for value in row))
    # rich would read values as markup and pass control characters on: Text and `printable` prevent both.
    stream = io.StringIO()
    Console(file=stream, width=width, force_terminal=False, color_system=None).print(result)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _flat(value: str) -> str:
    return printable(value[:MAX_CELL]).replace("\n", "⏎").replace("\t", " ")
