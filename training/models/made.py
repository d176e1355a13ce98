"""The list of a model folder's files, by which the folder of one training is told from another's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ringlake.base.storage import Folder

MADE_FILE = "ringlake.json"

_MAX_BYTES = 16 << 20
"""Largest list that is read; a file takes about 150 bytes of it."""

_BLOCK = 1 << 22


def write_made(folder: Path) -> None:
    """Writes the list of all files of a finished model folder into it: name, size and SHA-256."""
    files = {path.name: _describe(path) for path in sorted(folder.iterdir()) if path.name != MADE_FILE}
    (folder / MADE_FILE).write_text(json.dumps({"files": files}, indent=1) + "\n", encoding="utf-8")


def is_whole(folder: Folder) -> bool:
    """Whether each listed file is there with its size; the contents are not read, which may be gigabytes."""
    try:
        if folder.size(MADE_FILE) > _MAX_BYTES:
            return False
        files = json.loads(folder.read(MADE_FILE))["files"]
        return bool(files) and all(folder.size(name) == made["bytes"] for name, made in files.items())
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        return False


def _describe(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}
