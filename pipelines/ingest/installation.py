"""The files of this Python installation that carry documentation, and its packages' message catalogues."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from pipelines.errors import InputError
from pipelines.ingest import packages
from pipelines.ingest.readers import UNKNOWN, format_of

_OWN_DISTRIBUTION = "ringlake"

# Folders that hold other installations' packages below the standard library, or compiled copies.
_OTHER_PACKAGES = ("site-packages", "dist-packages")
_COMPILED = packages.COMPILED

# Folders of the standard library that test it, wherever they lie in it.
_TESTS = ("test", "tests", "idle_test")

_MESSAGES = "LC_MESSAGES"


def files() -> Iterator[tuple[str, str]]:
    """Absolute path and source of each file; sources do not depend on where Python lies.

    Sources begin with `stdlib/` or `site-packages/`. This project's own files are left out, so that the
    corpus does not change with every commit.

    Raises:
        InputError: Python has no folder of that kind, as in a frozen application.
    """
    own = _own_files()
    paths = sysconfig.get_paths()
    roots = {os.path.realpath(paths[name]): "site-packages" for name in ("purelib", "platlib")}
    stdlib = os.path.realpath(paths["stdlib"])
    roots[stdlib] = "stdlib"
    for root, prefix in sorted(roots.items()):
        if not os.path.isdir(root):  # noqa: PTH112
            if root == stdlib:
                raise InputError(f"this Python has no standard library at {root!r}; set ingest.inputs")
            continue
        for parent, folders, names in os.walk(root):
            skipped = _OTHER_PACKAGES if parent == stdlib else ()
            folders[:] = sorted(name for name in folders if name != _COMPILED and name not in skipped)
            for name in sorted(names):
                path = os.path.join(parent, name)  # noqa: PTH118 - once for each of 60,000 files
                if format_of(name, "python-docs")[0] != UNKNOWN and path not in own:
                    yield path, f"{prefix}/{os.path.relpath(path, root)}"


def standard_modules() -> Iterator[tuple[str, str]]:
    """Absolute path and source of each module of the standard library that is written in Python.

    Its own tests are left out. Sources begin with `stdlib/`.

    Raises:
        InputError: Python has no folder of that kind, as in a frozen application.
    """
    root = os.path.realpath(sysconfig.get_paths()["stdlib"])
    if not os.path.isdir(root):  # noqa: PTH112
        raise InputError(f"this Python has no standard library at {root!r}; set ingest.inputs")
    for parent, folders, names in os.walk(root):
        left_out = (_COMPILED, *_TESTS, *(_OTHER_PACKAGES if parent == root else ()))
        folders[:] = sorted(name for name in folders if name not in left_out)
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(parent, name)  # noqa: PTH118 - as above
                yield path, f"stdlib/{os.path.relpath(path, root)}"


def catalogues(languages: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Absolute path and source of the message catalogues of installed packages.

    A package has them in `locale/LANGUAGE/LC_MESSAGES`; where one is there both compiled and as text, the
    compiled one is taken. Sources begin with `site-packages/`.

    Args:
        languages: Names of the folders of languages.
    """
    paths = sysconfig.get_paths()
    for root in sorted({os.path.realpath(paths[name]) for name in ("purelib", "platlib")}):
        for parent, folders, names in os.walk(root):
            folders[:] = sorted(name for name in folders if name != _COMPILED)
            *_, language, last = Path(parent).parts
            if last != _MESSAGES or language not in languages:
                continue
            for name in sorted(names):
                if name.endswith(".mo") or (name.endswith(".po") and f"{name[:-3]}.mo" not in names):
                    path = os.path.join(parent, name)  # noqa: PTH118 - as above
                    yield path, f"site-packages/{os.path.relpath(path, root)}"


def here(path: str, source: str) -> str:
    """Where a file of the installation, or of a package of it, lies on this machine.

    On a cluster each node unpacks the environment at a place of its own; the source says which file it is.
    """
    if os.path.lexists(path):
        return path
    prefix, _, rest = source.partition("/")
    name = {"stdlib": "stdlib", packages.SOURCES: "purelib"}.get(prefix)
    if name is None:
        return path
    found = os.path.join(os.path.realpath(sysconfig.get_paths()[name]), rest)  # noqa: PTH118
    if prefix == packages.SOURCES and not os.path.lexists(found):
        # It may lie elsewhere on Python's path.
        return packages.here(source) or found
    return found


def _own_files() -> frozenset[str]:
    """The installed files of this project; a checkout may have a list of its own beside the installed one."""
    found = metadata.distributions(name=_OWN_DISTRIBUTION)
    return frozenset(
        os.path.realpath(str(file.locate())) for distribution in found for file in distribution.files or ()
    )
