"""Which version of a table another one was made of, and what is said where they do not fit."""

from __future__ import annotations

from typing import Any

from pipelines.errors import InputError
from pipelines.lake import TableInfo
from pipelines.run.binding import Given


def made_of(info: TableInfo, source: str) -> int | None:
    """The version of another table that a table was made of, as its commit says."""
    version: int | None = info.metadata.get("inputs", {}).get(source)
    return version


def note_unread(given: Given[Any], table: str, source: str, key: str) -> None:
    """Says so where an optional table is there, made of its source as it is now, but nothing asks for it.

    Args:
        given: What the stage was given.
        table: The optional table.
        source: The table that it was made of, which is read as it is.
        key: The key of the configuration that asks for the optional table.
    """
    catalog = given.context.catalog
    if not catalog.exists(table):
        return
    info = catalog.info(table)
    if info.rows and made_of(info, source) == given.tables[source].version:
        given.say(
            f"    table {table!r} (version {info.version}) is not read, because {key} is not set: "
            f"{source!r} is read as it is"
        )


def check_made_of(given: Given[Any], table: str, source: str, remedy: str) -> None:
    """InputError if a table was made of another version of its source than the current one.

    Args:
        given: What the stage was given; `table` is among it.
        table: The table.
        source: The table that it was made of.
        remedy: What makes it anew.
    """
    current = given.context.catalog.version(source)
    made = made_of(given.tables[table], source)
    if made != current:
        raise InputError(
            f"table {table!r} was made of version {made} of {source!r}, which is at version {current} now; "
            f"{remedy} --lake {given.context.lake.location}"
        )
