"""The version of the code: the release, and a hash of the sources that decide what is computed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import metadata, resources
from importlib.resources.abc import Traversable

TRAINING_PACKAGES = ("schemas", "training")
"""What computes on a rank; of `conf` the values count, which are in a training's identity one by one."""


@cache
def training_code() -> str:
    """`RELEASE+src.HASH` of the code that trains: equal where every Python file of it is equal.

    A checkout, an installation and the zip that `ringlake bundle` makes of them have the same one.
    """
    return f"{release()}+src.{source_hash(TRAINING_PACKAGES)}"


def source_hash(packages: Sequence[str]) -> str:
    """Hash of the Python files and pages of packages, 12 hex digits."""
    named = (file for package in packages for file in code_files(package))
    return files_hash((name, content) for name, content in named if name.endswith((".py", ".html")))


def files_hash(files: Iterable[tuple[str, bytes]]) -> str:
    """Hash of files by name and content in the order given, 12 hex digits."""
    digest = hashlib.sha256()
    for name, content in files:
        digest.update(name.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:12]


def code_files(package: str) -> Iterator[tuple[str, bytes]]:
    """Name (`package/folder/file`) and content of every file of a package, sorted, byte code left out."""
    yield from sorted(_walk(resources.files(package), package))


@cache
def release() -> str:
    """The installed version of ringlake."""
    try:
        return metadata.version("ringlake")
    except metadata.PackageNotFoundError:
        return "0+unknown"


def _walk(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        if item.is_dir():
            if item.name != "__pycache__":
                yield from _walk(item, f"{name}/{item.name}")
        elif not item.name.endswith((".pyc", ".nbi", ".nbc")):
            yield f"{name}/{item.name}", item.read_bytes()
