"""Stages of other packages among ours, with their tables and their sections of the configuration.

A package names the declaration of a stage in the group `ringlake.stages`. From there on it is a stage like
any: what is asked here is asked of all; the lists of `pipelines.stages` and `schemas` are ringlake's own.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from pipelines.stages import BY_NAME, STAGES, Stage
from ringlake.base.extensions import Door, Extension, ExtensionError
from ringlake.base.modules import object_at
from ringlake.base.order import in_order

if TYPE_CHECKING:
    from conf import RunConfig
    from schemas import Table

COMMANDS = frozenset(
    {"run", "status", "show", "setup", "bundle", "version", "extensions", "export", "demo", "trace", "verify"}
    | {"compare", "forget"}
    | {"answer", "classify", "embed", "translate"}
)
"""Commands that are no stages: no stage may have their names."""

DOOR: Door[Stage] = Door("stages", "stage", (Stage,), lambda: COMMANDS | BY_NAME.keys())
"""Stages of other packages."""


def every_stage() -> tuple[Stage, ...]:
    """All stages in order, those of other packages behind the ones that they follow.

    Raises:
        ExtensionError: One of another package cannot be used.
    """
    return _every_stage(DOOR.installed())


def extension_of(stage: Stage) -> tuple[Extension, ...]:
    """The extension that a stage is; none for one of ours."""
    return () if stage.name in BY_NAME else DOOR.used([stage.name])


def every_table() -> dict[str, Table]:
    """All tables by name: those of `schemas`, then those of other packages' stages."""
    from schemas import TABLES

    added = (table for stage in every_stage() for table in tables_of(stage))
    return {**TABLES, **{table.name: table for table in added}}


def tables_of(stage: Stage) -> tuple[Table, ...]:
    """The definitions of tables that a declaration names itself."""
    return tuple(object_at(place) for place in stage.tables)


def run_model(stages: Iterable[Stage]) -> type[RunConfig]:
    """The model of a run file with a key for the section of each of these stages."""
    return _run_model(tuple((stage.name, stage.section) for stage in stages if stage.section))


@lru_cache(maxsize=8)
def _every_stage(extensions: tuple[Extension, ...]) -> tuple[Stage, ...]:
    used = DOOR.used(extension.name for extension in extensions)
    added = {extension: DOOR.load(extension) for extension in used}
    try:
        ordered = in_order((*STAGES, *added.values()), lambda stage: stage.name, lambda stage: stage.after)
    except ValueError as error:
        origins = ", ".join(extension.origin for extension in used)
        raise ExtensionError(f"the stages of {origins} have no place among the others: {error}") from None
    for extension, stage in added.items():
        told = _told_of(stage, ordered)
        if told:
            raise ExtensionError(
                f"stage {stage.name!r} of {extension.origin}: {told}; correct its declaration, or uninstall "
                f"{extension.distribution}"
            )
    return ordered


@lru_cache(maxsize=8)
def _run_model(sections: tuple[tuple[str, str], ...]) -> type[RunConfig]:
    from pydantic import Field, create_model

    from conf.run import RunConfig

    if not sections:
        return RunConfig
    fields: dict[str, Any] = {}
    for name, place in sections:
        section = object_at(place)
        fields[name] = (section, Field(default_factory=section))
    return cast(
        "type[RunConfig]", create_model("RunConfig", __base__=RunConfig, __module__=__name__, **fields)
    )


def _told_of(stage: Stage, ordered: tuple[Stage, ...]) -> str:
    """What is wrong with the declaration of another package's stage; empty: nothing."""
    if not stage.name.isidentifier() or keyword.iskeyword(stage.name):
        return "its name is no name of Python, as a section of the configuration needs"
    if not (stage.work or stage.binding):
        return "it has neither work nor binding, so nothing does its work"
    earlier = ordered[: ordered.index(stage)]
    there = {table for other in earlier for table in (*other.writes, *other.may_write)}
    if lacking := [table for table in (*stage.reads, *stage.may_read) if table not in there]:
        return f"it reads {', '.join(lacking)}, which no stage before it writes"
    return _told_of_tables(stage, ordered) or _told_of_section(stage)


def _told_of_tables(stage: Stage, ordered: tuple[Stage, ...]) -> str:
    from schemas import TABLES, Table

    written = {*stage.writes, *stage.may_write}
    others = {table for other in ordered if other is not stage for table in (*other.writes, *other.may_write)}
    if taken := sorted(written & (others | TABLES.keys())):
        return f"it writes {', '.join(taken)}, which is another stage's"
    try:
        tables = tables_of(stage)
    except Exception as error:  # noqa: BLE001 - whatever the package raises when it is imported
        return f"its tables cannot be loaded ({type(error).__name__}: {error!s:.200})"
    if not all(isinstance(table, Table) for table in tables):
        return f"its tables are of types {', '.join(type(table).__name__ for table in tables)}, not Table"
    if lacking := sorted(written - {table.name for table in tables}):
        return f"it writes {', '.join(lacking)}, whose definition is not among its tables"
    return ""


def _told_of_section(stage: Stage) -> str:
    if not stage.section:
        return ""
    from conf.run import RunConfig
    from conf.section import Section

    if stage.name in RunConfig.model_fields:
        return f"its section would be {stage.name}, a key of ringlake's run files"
    try:
        section = object_at(stage.section)
        section()
    except Exception as error:  # noqa: BLE001 - whatever the package raises
        return f"its section {stage.section} has no defaults, or is not there ({error!s:.200})"
    return (
        "" if issubclass(section, Section) else f"its section {stage.section} is no ringlake.extend.Section"
    )
