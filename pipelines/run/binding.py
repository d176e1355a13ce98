"""What a stage gets from the engine and gives back to it; the engine watches, writes and counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pipelines.added import extension_of
from pipelines.errors import RinglakeError
from pipelines.lake import TableInfo, read_table
from pipelines.run.accounting import Tally
from pipelines.run.context import Context
from pipelines.stage_output import Say, StageOutput
from pipelines.stages import Stage
from ringlake.base.extensions import Extension, ExtensionError
from ringlake.base.modules import object_at

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from conf import RunConfig

T = TypeVar("T")
E = TypeVar("E")


@dataclass(frozen=True)
class Besides(Generic[T]):
    """What a stage reads besides tables, looked at once for a run.

    Attributes:
        value: What was found: the stage gets it.
        fingerprint: Hash of its content; another one reruns the stage.
        num_bytes: How much it is, about, where Spark is to read it: the shuffles are sized by it.
        told: Line for people at the start of the stage; empty: none.
        extensions: What of other packages it uses; another version or source of one reruns the stage.
    """

    value: T
    fingerprint: str
    num_bytes: int = 0
    told: str = ""
    extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True)
class Provenance:
    """What made a table, stored with its commit."""

    stage: str
    run_key: str
    inputs: Mapping[str, int]
    config_hash: str
    code_version: str

    def noted(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """The same as JSON values, with more that readers of the table go by."""
        return {**vars(self), "inputs": dict(self.inputs), **more}


@dataclass(frozen=True)
class Given(Generic[T]):
    """What a stage is given for one run; each part was computed once.

    Attributes:
        stage: Its declaration.
        context: Lake, console and session.
        tables: The tables that it reads, at the versions that this run goes by.
        besides: What else it reads.
        provenance: Goes with what it writes.
    """

    stage: Stage
    context: Context
    tables: Mapping[str, TableInfo]
    besides: T
    provenance: Provenance
    _open: ExitStack = field(default_factory=ExitStack, repr=False)

    @property
    def config(self) -> RunConfig:
        """The whole configuration."""
        return self.context.config

    @property
    def say(self) -> Say:
        """Prints a line for people."""
        return self.context.console.say

    @property
    def spark(self) -> SparkSession:
        """The session, started at the first use."""
        return self.context.spark

    @property
    def source(self) -> TableInfo:
        """The first table that it reads."""
        return next(iter(self.tables.values()))

    def frame(self, name: str) -> DataFrame:
        """One of its tables; InputError if it has no rows."""
        info = self.context.must_have_rows(self.tables[name])
        return read_table(self.spark, self.context.lake, name, info.version)

    def hold(self, manager: AbstractContextManager[E]) -> E:
        """Enters what must last until the tables are written; the engine leaves it then."""
        return self._open.enter_context(manager)

    def release(self) -> ExitStack:
        """All that is held, to be left at the end of a `with`."""
        return self._open


@dataclass(frozen=True)
class Written:
    """The tables of a stage as they were written.

    Attributes:
        versions: New version by table.
        rows: Rows by table, as the tables' logs have them.
        tally: What the accounts of the declaration come to; None where it has none.
    """

    versions: Mapping[str, int]
    rows: Mapping[str, int]
    tally: Tally | None


@dataclass(frozen=True)
class Finished:
    """What a stage finds once its tables are written.

    Attributes:
        details: What it measured, added to the details of `Made`.
        tally: Its accounts where the declaration has none.
        refusal: Fails the run although its tables are written and add up: they show why.
    """

    details: Mapping[str, Any] = field(default_factory=dict)
    tally: Tally | None = None
    refusal: RinglakeError | None = None


@dataclass(frozen=True)
class Made:
    """What a stage gives back: tables to write, and what belongs to writing them.

    Attributes:
        tables: DataFrame of each output table, lazily computed.
        shared: DataFrames that several of them derive from, persisted on disk during the writes.
        details: What it measured besides rows (JSON values), stored with its run.
        tally: Its accounts, of a stage that writes no table.
        noted: Stored with the commits beside the provenance (JSON values).
        settings: Spark settings in force during the writes.
        after: Done right after the last commit.
        instead: Asked where writing failed: what to write in its place, or raises what is to be told.
        finish: Called once all is written.
    """

    tables: Mapping[str, DataFrame] = field(default_factory=dict)
    shared: tuple[DataFrame, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    tally: Tally | None = None
    noted: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] | None = None
    after: Callable[[], None] | None = None
    instead: Callable[[Exception], Made] | None = None
    finish: Callable[[Written], Finished] | None = None

    @staticmethod
    def of(output: StageOutput, **more: Any) -> Made:
        """What a function from DataFrames to DataFrames gave."""
        return Made(tables=output.tables, shared=output.shared, details=output.details, **more)


def nothing_besides(_context: Context) -> Besides[None]:
    """For a stage that reads tables alone."""
    return Besides(None, "")


def leaves_nothing(_context: Context, _details: Mapping[str, Any]) -> dict[str, str]:
    """For a stage that writes tables alone."""
    return {}


@dataclass(frozen=True)
class Binding(Generic[T]):
    """What ties a stage to its tables.

    Attributes:
        run: Does the work.
        besides: Looks at what it reads besides tables.
        left: Identity of each file or folder that it leaves besides tables, by name, given what the run noted
            in its details. The ledger keeps them: the stage runs again if one is gone or is another's, as
            that of a run which was killed before it was recorded.
    """

    run: Callable[[Given[T]], Made]
    besides: Callable[[Context], Besides[T]]
    left: Callable[[Context, Mapping[str, Any]], dict[str, str]] = leaves_nothing

    @staticmethod
    def of_tables(
        run: Callable[[Given[None]], Made],
        left: Callable[[Context, Mapping[str, Any]], dict[str, str]] = leaves_nothing,
    ) -> Binding[None]:
        """That of a stage that reads tables alone."""
        return Binding(run, nothing_besides, left)


def binding_of(stage: Stage) -> Binding[Any]:
    """The binding that a declaration names, or that of its work; its module is loaded now.

    Raises:
        ExtensionError: It is another package's, and does not load or is none.
    """
    if isinstance(stage.binding, Binding):
        return stage.binding
    try:
        found = Binding.of_tables(_calling(stage)) if stage.work else import_module(stage.binding).BINDING
    except Exception as error:
        if not (extensions := extension_of(stage)):
            raise
        raise ExtensionError(
            f"stage {stage.name!r} of {extensions[0].origin}: what does its work cannot be loaded "
            f"({type(error).__name__}: {error!s:.300}); update or uninstall {extensions[0].distribution}"
        ) from error
    binding: Binding[Any] = found
    return binding


def _calling(stage: Stage) -> Callable[[Given[None]], Made]:
    """Calls the work that a declaration names: with its tables in order, its section, and what prints."""
    work = object_at(stage.work)

    def run(given: Given[None]) -> Made:
        frames = [given.frame(name) for name in given.tables]
        sections = list(stage.config(given.config).values())
        return Made.of(work(*frames, *sections, given.say))

    return run
