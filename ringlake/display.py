"""What a notebook shows of lakes, tables, runs, plans and models: small tables of HTML, all text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipelines.text.display import visible

MAX_CHARACTERS = 300
"""Of a value; a name of a corpus can be as long as a file system allows."""

_CELL = "padding:2px 10px 2px 0;text-align:{align};vertical-align:top"


def panel(title: str, facts: Mapping[str, object]) -> str:
    """A heading, and names with their values below it.

    Args:
        title: What it is.
        facts: Values by name; None is left out.
    """
    rows = ((name, value) for name, value in facts.items() if value is not None)
    return _framed(title, None, rows)


def grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A heading, and a table below it.

    Args:
        title: What it is.
        columns: Names of the columns.
        rows: Values; numbers stand on the right.
    """
    return _framed(title, columns, rows)


def _framed(title: str, columns: Sequence[str] | None, rows: Iterable[Sequence[object]]) -> str:
    head = ""
    if columns is not None:
        cells = "".join(f"<th style='{_CELL.format(align='left')}'>{visible(name)}</th>" for name in columns)
        head = f"<thead><tr>{cells}</tr></thead>"
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f"<div><strong>{visible(title, MAX_CHARACTERS)}</strong>"
        f"<table style='border-collapse:collapse'>{head}<tbody>{body}</tbody></table></div>"
    )


def _cell(value: object) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    style = _CELL.format(align="right" if is_number else "left")
    return f"<td style='{style}'>{visible(shown(value), MAX_CHARACTERS)}</td>"


def shown(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return str(value)


def megabytes(num_bytes: int) -> str:
    """A size in the unit that fits it."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if num_bytes >= factor:
            return f"{num_bytes / factor:,.1f} {unit}"
    return f"{num_bytes} bytes"
