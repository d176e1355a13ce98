"""All stages in the order of the data flow, one declaration each.

Command line, help, order and lists of the report and of the card, and the list of optional tables follow from
these; what a stage does is bound to it in `pipelines.bindings`.
"""

from pipelines.stages.card import CARD
from pipelines.stages.clean import CLEAN
from pipelines.stages.declaration import Accounts, Count, Flag, Stage
from pipelines.stages.dedup import DEDUP
from pipelines.stages.evaluate import EVALUATE
from pipelines.stages.features import FEATURES
from pipelines.stages.generate import GENERATE
from pipelines.stages.ingest import INGEST
from pipelines.stages.mix import MIX
from pipelines.stages.pack import PACK
from pipelines.stages.repeats import REPEATS
from pipelines.stages.report import REPORT
from pipelines.stages.tokenize import TOKENIZE
from pipelines.stages.train import TRAIN

STAGES: tuple[Stage, ...] = (
    INGEST,
    CLEAN,
    REPEATS,
    DEDUP,
    TOKENIZE,
    MIX,
    PACK,
    FEATURES,
    TRAIN,
    EVALUATE,
    GENERATE,
    REPORT,
    CARD,
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
