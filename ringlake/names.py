"""Our four packages where a user's folder has one of the same name: which is imported, and what is said.

ringlake's code lies in `conf`, `pipelines`, `schemas` and `training`, names that many a project has as well.
Python imports what comes first on its path, and the working directory of a notebook, or the folder of a
script, comes before all that is installed. `claim` makes these four names mean ringlake's wherever `ringlake`
was imported first. One name in one process is one package: where a foreign one is loaded already, or is found
beside, it is said what to rename.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

PACKAGES = ("conf", "pipelines", "schemas", "training")
"""What an installation of ringlake has besides `ringlake`."""

HOME = str(Path(__file__).parent.parent)
"""The folder, or the zip, in which all of them lie beside this package."""


class NameClashError(ImportError):
    """A package of another project with one of our names is loaded in this process already."""


class _OwnPackages:
    """Finds the four packages beside this one, before Python looks along its path."""

    @staticmethod
    def find_spec(
        name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a package is loaded from; None for every other module."""
        return PathFinder.find_spec(name, [HOME]) if name in PACKAGES else None


def claim() -> None:
    """Makes the four names mean ringlake's packages in this process, from now on.

    Raises:
        NameClashError: One of them is loaded already and is another project's.
    """
    for name in PACKAGES:
        loaded = sys.modules.get(name)
        if loaded is not None and not _is_ours(_places(loaded)):
            raise NameClashError(
                f"this process has loaded a package {name!r} from {', '.join(_places(loaded))}, and ringlake "
                f"has one of that name: import ringlake before it, or rename yours"
            )
    if _OwnPackages in sys.meta_path:
        return
    sys.meta_path.insert(0, _OwnPackages)
    if _is_command():
        return
    if found := foreign():
        listed = ", ".join(f"{name!r} in {place}" for name, place in found.items())
        warnings.warn(
            f"ringlake's packages come before those of the same name here: {listed}. In this process such a "
            f"name means ringlake's; to use both, rename yours",
            stacklevel=3,
        )


def _is_command() -> bool:
    # `python -m ringlake`, whose first argument is this until its module is found. A command imports nothing
    # of the user's, so that nobody needs to rename anything.
    return sys.argv[:1] == ["-m"]


def foreign(path: Sequence[str] | None = None) -> dict[str, str]:
    """Packages of other projects that Python would import in place of ours, each with its place.

    A folder without an `__init__.py` is none: Python prefers ours to it.

    Args:
        path: Folders in which Python looks; None: those of this process, the working directory first.
    """
    places = ["", *sys.path] if path is None else list(path)
    found = {}
    for name in PACKAGES:
        spec = PathFinder.find_spec(name, places)
        if spec is not None and spec.origin is not None and not _is_ours([spec.origin]):
            found[name] = spec.origin
    return found


def _places(module: ModuleType) -> list[str]:
    file = getattr(module, "__file__", None)
    return [file] if file else [str(place) for place in getattr(module, "__path__", [])]


def _is_ours(places: Sequence[str]) -> bool:
    # A module without a place is one that a program made up, which is no other project's.
    return all(Path(place).resolve().is_relative_to(Path(HOME).resolve()) for place in places)
