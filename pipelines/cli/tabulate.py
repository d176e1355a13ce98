"""Plain tables for a terminal: every value made printable, columns cut so that a row fits the width."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.console.console import printable

MAX_CELL = 2000

_GAP = 2


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: set[int] | None = None) -> str:
    """A table as text, its columns as wide as they need be."""
    return _render(header, rows, right or set(), width=None)


def fitted(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that fits the terminal, long values cut with an ellipsis."""
    width = shutil.get_terminal_size((160, 24)).columns if sys.stdout.isatty() else 160
    return _render(header, rows, set(), width=width)


def fair_widths(wanted: Sequence[int], total: int) -> list[int]:
    """Widths that add up to the total at most: what is wanted, and equal shares for those that want more."""
    widths = [0] * len(wanted)
    left = total
    for place, index in enumerate(sorted(range(len(wanted)), key=lambda index: wanted[index])):
        widths[index] = max(1, min(wanted[index], left // (len(wanted) - place)))
        left -= widths[index]
    return widths


def _render(header: Sequence[str], rows: Sequence[Sequence[str]], right: set[int], width: int | None) -> str:
    cells = [[Text(_flat(value)) for value in row] for row in (header, *rows)]
    wanted = [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]
    gaps = _GAP * (len(header) - 1)
    result = Table(box=None, pad_edge=False, show_header=False, padding=(0, _GAP, 0, 0))
    for index, cells_wide in enumerate(wanted if width is None else fair_widths(wanted, width - gaps)):
        result.add_column(
            justify="right" if index in right else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=cells_wide,
        )
    for row in cells:
        result.add_row(*row)
    # rich would read values as markup and pass control characters on: Text and `printable` prevent both.
    stream = io.StringIO()
    Console(file=stream, width=sum(wanted) + gaps, force_terminal=False, color_system=None).print(result)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _flat(value: str) -> str:
    return printable(value[:MAX_CELL]).replace("\n", "⏎").replace("\t", " ")
