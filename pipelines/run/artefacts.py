"""The identity of what a stage leaves besides tables: by it a run knows its own files from another run's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from pipelines.lake import Lake
from ringlake.base.storage import File, Folder
from training.models.made import MADE_FILE, is_whole

GONE = ""
"""Identity of what is not there, or not whole."""

NOTED = "artefacts"
"""Under this key of a run's details the ledger has the identities of what it left."""

_BLOCK = 1 << 20


def file_identity(file: File) -> str:
    """SHA-256 of a file's content; `GONE` if it is not there."""
    digest = hashlib.sha256()
    try:
        with file.folder.open(file.name, "rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return GONE
    return digest.hexdigest()


def files_identity(lake: Lake, files: Iterable[File]) -> dict[str, str]:
    """Identity of each of some files, by their names in the lake."""
    root = lake.location.rstrip("/")
    return {file.location.removeprefix(f"{root}/"): file_identity(file) for file in files}


def model_identity(folder: Folder) -> str:
    """Identity of a model folder: that of the list of its files, which is of one training; `GONE` if damaged.

    The weights are not read again: each file must be there and have the size that the list says.
    """
    found = file_identity(folder.file(MADE_FILE))
    return found if found and is_whole(folder) else GONE


def is_left(noted: Any, found: dict[str, str]) -> bool:
    """Whether what is there now is whole and what the ledger noted."""
    return (noted or {}) == found and GONE not in found.values()
