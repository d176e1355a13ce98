"""The version of the code that made an output: the release and a hash of the sources."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGES = ("conf", "pipelines", "schemas", "training")


@cache
def code_version() -> str:
    """`RELEASE+src.HASH`: equal where every Python file and run file of ringlake is equal."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in (".py", ".html") and "__pycache__" not in path.parts:
                digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{release()}+src.{digest.hexdigest()[:12]}"


@cache
def release() -> str:
    """The installed version of ringlake."""
    try:
        return metadata.version("ringlake")
    except metadata.PackageNotFoundError:
        return "0+unknown"
