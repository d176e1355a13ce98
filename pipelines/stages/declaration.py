"""What is known of a stage before anything runs. Nothing here loads Spark, torch or the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

    from conf import RunConfig


@dataclass(frozen=True)
class Flag:
    """A flag of a command.

    Attributes:
        key: The key of the configuration that it sets.
        name: Its name; empty: the last part of the key.
    """

    key: str
    name: str = ""

    @property
    def option(self) -> str:
        """The flag as it is written on the command line."""
        return "--" + (self.name or self.key.rpartition(".")[2].replace("_", "-"))

    @property
    def parameter(self) -> str:
        """Its name among the parameters of its command."""
        return self.key.replace(".", "__")


@dataclass(frozen=True)
class Count:
    """A number of rows: those of a table, or the sum of one of its columns.

    Attributes:
        table: A table that the stage reads or writes.
        column: Column whose sum is taken; empty: rows are counted.
        where: SQL condition on the rows that count; empty: all do.
    """

    table: str
    column: str = ""
    where: str = ""


@dataclass(frozen=True)
class Accounts:
    """What becomes of the rows of a stage: in = out + rejected + quarantined + duplicate.

    Attributes:
        out: Rows that go on.
        into: Rows that come in; None: those of the first table that the stage reads.
        rejected: Rows that are left out for what they are.
        quarantined: Rows that could not be read.
        duplicate: Rows that others stand for.
        unit: What is counted.
    """

    out: Count
    into: Count | None = None
    rejected: Count | None = None
    quarantined: Count | None = None
    duplicate: Count | None = None
    unit: str = "documents"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage: the one place that says what it is called, reads, writes, counts and takes as flags.

    Attributes:
        name: Name on the command line and in the ledger.
        summary: One line in the list of commands.
        purpose: What it does, a phrase that follows its name where it runs.
        help: Text of its command; empty: it has no command of its own.
        sections: Sections of the configuration that it reads; empty: the one of its name.
        reads: Tables that it reads.
        reads_with: The tables that it reads with a configuration, in place of `reads`.
        may_read: Tables that it reads with some configurations only.
        writes: Tables that every run of it writes.
        may_write: Tables that it writes with some configurations only.
        accounts: How its rows add up; None: it says so itself.
        flags: Flags of its command.
        enabled: Whether a whole run has it; None: every run has. As a command of its own it runs whatever
            this says.
        is_reported: Whether the report tells of it.
        after: Name of the stage that it follows; empty: it is the first.
        work: What does its work, as 'module:function': a function from the DataFrames of the tables that it
            reads, in their order, its section of the configuration and something that prints a line, to a
            `StageOutput`. Empty: it has a binding.
        binding: Module whose `BINDING` ties it to its tables (`pipelines.run.binding`), or that itself.
        code: Modules of ringlake that do its work (`pipelines.run.stage_code`); where they change, it runs
            again. Empty: the module of `work`.
        section: Its section of the configuration where `RunConfig` has no key of its name, as 'module:Class'.
        tables: Definitions of its tables where `schemas` has none, as 'module:NAME'.
        libraries: Names of the libraries whose versions decide its result (`pipelines.run.libraries`).
        extras: Modules that it needs with a configuration and that not everybody has, each with the extra of
            ringlake that installs it.
    """

    name: str
    summary: str
    purpose: str
    after: str = ""
    work: str = ""
    binding: Any = None
    code: tuple[str, ...] = ()
    section: str = ""
    tables: tuple[str, ...] = ()
    help: str = ""
    sections: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    reads_with: Callable[[RunConfig], tuple[str, ...]] | None = None
    may_read: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    may_write: tuple[str, ...] = ()
    accounts: Accounts | None = None
    flags: tuple[Flag, ...] = ()
    enabled: Callable[[RunConfig], bool] | None = None
    is_reported: bool = True
    libraries: Callable[[RunConfig], tuple[str, ...]] = lambda _config: ()
    extras: Callable[[RunConfig], Mapping[str, str]] = lambda _config: {}

    @property
    def is_optional(self) -> bool:
        """Whether a run may leave it out."""
        return self.enabled is not None

    def is_enabled(self, config: RunConfig) -> bool:
        """Whether a whole run with this configuration has it."""
        return self.enabled is None or self.enabled(config)

    def reads_of(self, config: RunConfig) -> tuple[str, ...]:
        """The tables that it reads with this configuration."""
        return self.reads if self.reads_with is None else self.reads_with(config)

    def config(self, config: RunConfig) -> dict[str, BaseModel]:
        """Its sections of the configuration by name; a stage whose name is no section has none."""
        names = self.sections or ((self.name,) if hasattr(config, self.name) else ())
        return {section: getattr(config, section) for section in names}
