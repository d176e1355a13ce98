"""The version of the code that made an output: the release and a hash of the sources."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import metadata, resources
from importlib.resources.abc import Traversable

PACKAGES = ("conf", "pipelines", "schemas", "training")


@cache
def code_version() -> str:
    """`RELEASE+src.HASH`: equal where every Python file and page of ringlake is equal.

    A checkout, an installation and the zip that `ringlake bundle` makes of them have the same one.
    """
    digest = hashlib.sha256()
    for package in PACKAGES:
        for name, content in code_files(package):
            if name.endswith((".py", ".html")):
                digest.update(name.encode() + b"\0" + content + b"\0")
    return f"{release()}+src.{digest.hexdigest()[:12]}"


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
