"""The page of the tables: every column with type and meaning, from `schemas`."""

from __future__ import annotations

from docs.markdown import code, escaped, table
from schemas import OPTIONAL, TABLES, Table

_INTRODUCTION = """# Tables

A lake has these Delta tables, each in a folder `LAKE/tables/NAME`; `ringlake show LAKE NAME` shows rows of
one. `signatures` lies below the folder that `dedup.history` names instead. Types are those of Spark SQL.
Which stage and which file makes a table, [architecture.md](../architecture.md#tables) says.

"""


def page() -> str:
    """The page."""
    rows = [[f"[{code(name)}](#{name})", escaped(found.meaning)] for name, found in TABLES.items()]
    return _INTRODUCTION + table(["table", "rows"], rows) + "".join(map(_section, TABLES.values()))


def _section(found: Table) -> str:
    facts = [f"Key: {', '.join(map(code, found.key))}."]
    if found.partition_by:
        facts.append(f"Partitioned by {', '.join(map(code, found.partition_by))}.")
    if found.name in OPTIONAL:
        facts.append("Made only where it is configured.")
    types = {field.name: field.dataType.simpleString() for field in found.spark_schema()}
    rows = [
        [
            code(column.name),
            code(types[column.name]),
            "yes" if column.nullable else "",
            escaped(column.meaning),
        ]
        for column in found.columns
    ]
    return (
        f"\n## {found.name}\n\n{escaped(found.meaning)} {' '.join(facts)}\n\n"
        f"{table(['column', 'type', 'nullable', 'meaning'], rows)}"
    )
