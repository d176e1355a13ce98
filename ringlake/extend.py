"""What packages that extend ringlake lean on: a rule, a reader, a strategy, a task or a stage of their own.

    from ringlake.extend import Rule

A package names its object in the group of its kind, under the name that the object has:

    [project.entry-points."ringlake.rules"]
    "polite.capitals.max" = "polite_rules:CAPITALS"

docs/extending.md has a whole package of each kind. What is named in `__all__` keeps its meaning until the
next major release, as semantic versioning has it. A name is imported when it is first used, so that a
declaration that needs `Stage` alone loads neither Spark nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import ringlake  # noqa: F401 - it claims the names of the packages

if TYPE_CHECKING:
    from conf.ingest import IngestConfig
    from conf.section import Section
    from conf.strategy import StrategySection
    from conf.task import TaskConfig
    from pipelines.clean.rules.rule import Rule, Step
    from pipelines.clean.stats import BatchStats
    from pipelines.evaluate.scores import Asked, Scored, TaskScores, Told
    from pipelines.files.lines import read_lines
    from pipelines.files.record import Document, Fault, FileFault, Skipped, repair
    from pipelines.ingest.readers import Reader
    from pipelines.run.accounting import Tally
    from pipelines.run.binding import Besides, Binding, Finished, Given, Made, Written
    from pipelines.stage_output import StageOutput
    from pipelines.stages.declaration import Accounts, Count, Flag, Stage
    from pipelines.tokenize.examples import ExampleMaker, Refusal, Row, Several
    from pipelines.tokenize.tasks import Examples
    from pipelines.worker import in_warm_worker
    from ringlake.base.extensions import ExtensionError
    from ringlake.base.tasks import TaskKind
    from schemas.table import Column, Table
    from training.added import StrategyKind
    from training.data.reader import Batch
    from training.errors import DataError
    from training.launch.ranks import current_rank
    from training.strategies.base import Strategy, ring_bytes
    from training.strategies.group import GroupStrategy
    from training.strategies.single import Single
    from training.tasks.basis import TaskBasis
    from training.tasks.micro_batch import Example, MicroBatch, given_tensors, grouped, padded
    from training.tasks.task import Task, Tensors

_PLACES = {
    "Accounts": "pipelines.stages.declaration",
    "Asked": "pipelines.evaluate.scores",
    "Batch": "training.data.reader",
    "BatchStats": "pipelines.clean.stats",
    "Besides": "pipelines.run.binding",
    "Binding": "pipelines.run.binding",
    "Column": "schemas.table",
    "Count": "pipelines.stages.declaration",
    "DataError": "training.errors",
    "Document": "pipelines.files.record",
    "Example": "training.tasks.micro_batch",
    "ExampleMaker": "pipelines.tokenize.examples",
    "Examples": "pipelines.tokenize.tasks",
    "ExtensionError": "ringlake.base.extensions",
    "Fault": "pipelines.files.record",
    "FileFault": "pipelines.files.record",
    "Finished": "pipelines.run.binding",
    "Flag": "pipelines.stages.declaration",
    "Given": "pipelines.run.binding",
    "GroupStrategy": "training.strategies.group",
    "IngestConfig": "conf.ingest",
    "Made": "pipelines.run.binding",
    "MicroBatch": "training.tasks.micro_batch",
    "Reader": "pipelines.ingest.readers",
    "Refusal": "pipelines.tokenize.examples",
    "Row": "pipelines.tokenize.examples",
    "Rule": "pipelines.clean.rules.rule",
    "Scored": "pipelines.evaluate.scores",
    "Section": "conf.section",
    "Several": "pipelines.tokenize.examples",
    "Single": "training.strategies.single",
    "Skipped": "pipelines.files.record",
    "Stage": "pipelines.stages.declaration",
    "StageOutput": "pipelines.stage_output",
    "Step": "pipelines.clean.rules.rule",
    "Strategy": "training.strategies.base",
    "StrategyKind": "training.added",
    "StrategySection": "conf.strategy",
    "Table": "schemas.table",
    "Tally": "pipelines.run.accounting",
    "Task": "training.tasks.task",
    "TaskBasis": "training.tasks.basis",
    "TaskConfig": "conf.task",
    "TaskKind": "ringlake.base.tasks",
    "TaskScores": "pipelines.evaluate.scores",
    "Tensors": "training.tasks.task",
    "Told": "pipelines.evaluate.scores",
    "Written": "pipelines.run.binding",
    "current_rank": "training.launch.ranks",
    "given_tensors": "training.tasks.micro_batch",
    "grouped": "training.tasks.micro_batch",
    "in_warm_worker": "pipelines.worker",
    "padded": "training.tasks.micro_batch",
    "read_lines": "pipelines.files.lines",
    "repair": "pipelines.files.record",
    "ring_bytes": "training.strategies.base",
}
"""Module of each name."""

__all__ = [
    "Accounts",
    "Asked",
    "Batch",
    "BatchStats",
    "Besides",
    "Binding",
    "Column",
    "Count",
    "DataError",
    "Document",
    "Example",
    "ExampleMaker",
    "Examples",
    "ExtensionError",
    "Fault",
    "FileFault",
    "Finished",
    "Flag",
    "Given",
    "GroupStrategy",
    "IngestConfig",
    "Made",
    "MicroBatch",
    "Reader",
    "Refusal",
    "Row",
    "Rule",
    "Scored",
    "Section",
    "Several",
    "Single",
    "Skipped",
    "Stage",
    "StageOutput",
    "Step",
    "Strategy",
    "StrategyKind",
    "StrategySection",
    "Table",
    "Tally",
    "Task",
    "TaskBasis",
    "TaskConfig",
    "TaskKind",
    "TaskScores",
    "Tensors",
    "Told",
    "Written",
    "current_rank",
    "given_tensors",
    "grouped",
    "in_warm_worker",
    "padded",
    "read_lines",
    "repair",
    "ring_bytes",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(
            f"module 'ringlake.extend' has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
