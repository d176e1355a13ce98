"""All kinds of things that other packages may add: a kind more is a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.added import every_stage
from pipelines.tasks import check_kind
from ringlake.base.extensions import Door, Extension, ExtensionError, groups, installed
from ringlake.base.modules import object_at
from ringlake.base.tasks import TaskKind

PLACES = (
    "pipelines.clean.rules:DOOR",
    "pipelines.ingest.readers:DOOR",
    "training.added:DOOR",
    "ringlake.base.tasks:DOOR",
    "pipelines.added:DOOR",
)
"""The door of each kind, as 'module:NAME': they are loaded where all of them are asked."""


def doors() -> tuple[Door[Any], ...]:
    """The doors of all kinds."""
    return tuple(object_at(place) for place in PLACES)


def look_around() -> Mapping[Extension, str]:
    """All that installed packages add, with what is wrong with each; empty: nothing. Everything is loaded."""
    found: dict[Extension, str] = {}
    known = {door.group: door for door in doors()}
    for group in (*known, *(name for name in groups() if name not in known)):
        for extension in installed(group):
            found[extension] = (
                _told_of(known[group], extension)
                if group in known
                else f"ringlake has no group ringlake.{group}, which {extension.origin} names; its groups: "
                f"{', '.join(f'ringlake.{name}' for name in known)}"
            )
    return found


def _told_of(door: Door[Any], extension: Extension) -> str:
    try:
        door.find(extension.name)
        found = door.load(extension)
        if door.group == "stages":
            every_stage()
        elif isinstance(found, TaskKind):
            check_kind(found)
    except ExtensionError as error:
        return str(error)
    return ""
