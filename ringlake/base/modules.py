"""Modules by name: those of a package, for lists that grow with a file and without an edit, and places."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")


def modules_of(package: str) -> tuple[ModuleType, ...]:
    """All modules of a package, sorted by name and loaded now; packages in it are not looked into.

    Written as `modules_of(__name__)` it counts for `pipelines.sources` as an import of each of them.

    Args:
        package: Its name; it may lie in a folder or in a zip.
    """
    path = import_module(package).__path__
    names = sorted(found.name for found in pkgutil.iter_modules(path) if not found.ispkg)
    return tuple(import_module(f"{package}.{name}") for name in names)


def named_in(modules: tuple[ModuleType, ...], kind: type[T]) -> Iterator[T]:
    """The values of a type that modules have at their top under a name in capitals, each once, in order."""
    seen: set[int] = set()
    for module in modules:
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, kind) and id(value) not in seen:
                seen.add(id(value))
                yield value


def object_at(place: str) -> Any:
    """What a declaration names as 'module:NAME', loaded now.

    Raises:
        ImportError: There is no such module.
        AttributeError: It has no such name.
    """
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
