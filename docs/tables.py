"""The page of the tables: every column with type and meaning, from `schemas`."""

from __future__ import annotations

from docs.markdown import code, escaped, table
from pipelines.stages import OPTIONAL_TABLES, STAGES, Stage
from schemas import TABLES, Table

_INTRODUCTION = """# Tables

A lake has these Delta tables, each in a folder `LAKE/tables/NAME`; `ringlake show LAKE NAME` shows rows of
one. `signatures` lies below the folder that `dedup.history` names instead; `erasures` is written by
`ringlake forget`. Types are those of Spark SQL.
Behind the name of a stage stand the files in which its work begins.

"""


_OF_BATCHES = ("batches", "withdrawn", "incoming", "packed")


def page() -> str:
    """The page."""
    rows = [[f"[{code(name)}](#{name})", escaped(found.meaning)] for name, found in TABLES.items()]
    return _INTRODUCTION + table(["table", "rows"], rows) + "".join(map(_section, TABLES.values()))


def _section(found: Table) -> str:
    facts = [f"Key: {', '.join(map(code, found.key))}."]
    if found.partition_by:
        facts.append(f"Partitioned by {', '.join(map(code, found.partition_by))}.")
    makers = [stage for stage in STAGES if found.name in (*stage.writes, *stage.may_write)]
    readers = [stage.name for stage in STAGES if found.name in (*stage.reads, *stage.may_read)]
    if makers:
        facts.append(f"Written by {', '.join(map(_maker, makers))}.")
    if readers:
        facts.append(f"Read by {', '.join(map(code, readers))}.")
    if found.name in OPTIONAL_TABLES:
        facts.append("Made only where it is configured.")
    if found.name in _OF_BATCHES:
        facts.append("Made by `ringlake run --incremental`.")
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


def _maker(stage: Stage) -> str:
    """A stage, and the files in which its work begins."""
    modules = stage.code or (stage.work.partition(":")[0],)
    return f"{code(stage.name)} ({', '.join(code(module.replace('.', '/') + '.py') for module in modules)})"
