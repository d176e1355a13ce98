"""All stages in the order of the data flow, one declaration each: a module in this folder is one more.

Command line, help, order and lists of the report and of the card, and the list of optional tables follow from
these; what a stage does is bound to it in `pipelines.bindings`. Those of other packages stand among them in
`pipelines.added`.
"""

from pipelines.stages.declaration import Accounts, Count, Flag, Stage
from ringlake.base.modules import modules_of, named_in
from ringlake.base.order import in_order

STAGES: tuple[Stage, ...] = in_order(
    named_in(modules_of(__name__), Stage), lambda stage: stage.name, lambda stage: stage.after
)

BY_NAME = {stage.name: stage for stage in STAGES}

OPTIONAL_TABLES = frozenset(
    table for stage in STAGES for table in (*stage.may_write, *(stage.writes if stage.is_optional else ()))
)
"""Tables of parts of a run that are left out unless they are configured."""


def before(table: str) -> tuple[Stage, ...]:
    """The stages whose tables go into a table, optional ones included, and the one that writes it."""
    wanted = {table}
    found: list[Stage] = []
    for stage in reversed(STAGES):
        if wanted.intersection((*stage.writes, *stage.may_write)):
            found.append(stage)
            wanted.update((*stage.reads, *stage.may_read))
    return tuple(reversed(found))


__all__ = [
    "BY_NAME",
    "OPTIONAL_TABLES",
    "STAGES",
    "Accounts",
    "Count",
    "Flag",
    "Stage",
    "before",
]
