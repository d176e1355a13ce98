"""The files below a folder of any fsspec file system, by a pattern with wildcards.

fsspec's own `glob` is not used: it matches names that begin with a dot, and hands patterns to clients that
take a question mark for the begin of a query (hdfs-native 0.14).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import has_magic
from typing import Any

import fsspec

ANY_DEPTH = "**"

_VERSION_KEYS = (
    ("ETag", "etag", "versionId", "version_id", "generation", "md5", "content_md5", "checksum"),
    ("mtime", "modification_time", "LastModified", "last_modified", "modified", "updated", "created"),
)
"""What file systems call that by which a changed file is told: first what follows the content, then times."""


@dataclass(frozen=True)
class Listed:
    """A file that a listing shows.

    Attributes:
        name: Its path relative to the folder that was listed.
        num_bytes: Its size.
        version: Text that is another one once the file has changed: ETag, version or time of change.
    """

    name: str
    num_bytes: int
    version: str


def find(filesystem: fsspec.AbstractFileSystem, folder: str, parts: Sequence[str]) -> Iterator[Listed]:
    """Files below a folder whose path, or a folder above them, matches the parts of a pattern.

    `*`, `?` and `[...]` match inside a name, `**` any number of folders. Names that begin with a dot match
    only a part that does so too. Without parts: all files below, at any depth, names with a dot left out.

    Args:
        filesystem: The file system.
        folder: Path of a folder on it.
        parts: The pattern, a part for each level.
    """
    filesystem.invalidate_cache()
    root = folder.rstrip("/")
    for path, info in _descend(filesystem, root, list(parts)):
        yield Listed(path[len(root) + 1 :], int(info.get("size") or 0), version_of(info))


def version_of(info: Mapping[str, Any]) -> str:
    """What tells a changed file, from what a file system says of it."""
    for keys in _VERSION_KEYS:
        found = [f"{key}={info[key]}" for key in keys if info.get(key) is not None]
        if found:
            return found[0]
    # An unknown file system: all that it says. Should that change with each call, ingest only runs again.
    said = {key: str(value) for key, value in info.items() if key not in ("name", "access_time")}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _descend(
    filesystem: fsspec.AbstractFileSystem, folder: str, parts: list[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not parts or parts[0] == ANY_DEPTH:
        # One flat listing: object stores answer that in pages of thousands, folder by folder they are slow.
        for path, info in sorted(filesystem.find(folder or "/", detail=True).items()):
            absolute = path if not folder.startswith("/") or path.startswith("/") else f"/{path}"
            names = absolute[len(folder) + 1 :].split("/")
            if covers(parts, names):
                yield absolute, info
        return
    head, rest = parts[0], parts[1:]
    for info in sorted(filesystem.ls(folder or "/", detail=True), key=lambda info: str(info["name"])):
        name = str(info["name"]).rstrip("/").rsplit("/", 1)[-1]
        if not _fits(name, head):
            continue
        if info["type"] == "directory":
            yield from _descend(filesystem, f"{folder}/{name}", rest)
        elif not rest or rest == [ANY_DEPTH]:
            yield f"{folder}/{name}", info


def covers(parts: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the parts of a pattern match a path or a folder on it, behind which none has a dot first."""
    if not parts:
        return not any(name.startswith(".") for name in names)
    if parts[0] == ANY_DEPTH:
        if covers(parts[1:], names):
            return True
        return bool(names) and not names[0].startswith(".") and covers(parts, names[1:])
    return bool(names) and _fits(names[0], parts[0]) and covers(parts[1:], names[1:])


def _fits(name: str, part: str) -> bool:
    if name.startswith(".") and not part.startswith("."):
        return False
    return fnmatchcase(name, part) if has_magic(part) else name == part
