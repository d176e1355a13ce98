"""Our own sources as files with a hash, and the release."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import metadata, resources
from importlib.resources.abc import Traversable


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
    yield from sorted(_walk(resources.files(package), package.replace(".", "/")))


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
