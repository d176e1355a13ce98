"""The list of a model folder's files, by which the folder of one training is told from another's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ringlake.base.storage import Folder

MADE_FILE = "ringlake.json"
CARD_FILE = "README.md"
"""What is said of a model: written anew when there is more to say, and no part of what the model is."""

_MAX_BYTES = 16 << 20
"""Largest list that is read; a file takes about 150 bytes of it."""

_BLOCK = 1 << 22


def write_made(folder: Path, card: Mapping[str, Any] | None = None) -> None:
    """Writes the list of all files of a finished model folder into it: place in it, size and SHA-256.

    Args:
        folder: The folder; its README is not listed.
        card: What the README says of the training, see `training.models.card.facts`; kept with the list.
    """
    unlisted = (MADE_FILE, CARD_FILE)
    paths = {
        path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()
    }
    files = {name: _describe(path) for name, path in paths.items() if name not in unlisted}
    made: dict[str, Any] = {"files": files} | ({} if card is None else {"card": dict(card)})
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    (folder / MADE_FILE).write_text(text, encoding="utf-8")


def read_card(folder: Folder) -> dict[str, Any] | None:
    """What `write_made` was given of the training; None where a folder keeps none, or its list is damaged."""
    made = _read(folder)
    card = None if made is None else made.get("card")
    return card if isinstance(card, dict) else None


def read_files(folder: Folder) -> dict[str, Any]:
    """The files that the list of a model folder has: size and SHA-256 by name; none if it is no list."""
    files = (_read(folder) or {}).get("files")
    return files if isinstance(files, dict) else {}


def is_whole(folder: Folder) -> bool:
    """Whether each listed file is there with its size; the contents are not read, which may be gigabytes."""
    files = read_files(folder)
    try:
        return bool(files) and all(folder.size(name) == made["bytes"] for name, made in files.items())
    except (AttributeError, KeyError, OSError, TypeError, ValueError):
        return False


def _read(folder: Folder) -> dict[str, Any] | None:
    """The list; None where there is none that can be read."""
    try:
        if folder.size(MADE_FILE) > _MAX_BYTES:
            return None
        made = json.loads(folder.read(MADE_FILE))
    except (OSError, ValueError, RecursionError):
        return None
    return made if isinstance(made, dict) else None


def _describe(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}
