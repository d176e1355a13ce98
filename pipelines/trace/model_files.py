"""The files of a model folder by size and SHA-256, and its weights beside those of a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.errors import InputError
from ringlake.base.hashing import file_hash
from ringlake.base.storage import Folder, folder_of
from training.models.made import MADE_FILE

_WEIGHTS = ".safetensors"


def find_model_folder(location: str) -> Folder | None:
    """The model folder at a path or URL, or of the lake there; None if there is none of ours."""
    here = folder_of(location)
    return next((folder for folder in (here, here.child("model")) if folder.exists(MADE_FILE)), None)


def model_folder_of(location: str) -> Folder:
    """The same; InputError if there is none."""
    if (folder := find_model_folder(location)) is not None:
        return folder
    raise InputError(
        f"{location} is no model folder of ringlake, nor a lake with one: there is no {MADE_FILE}; name the "
        f"folder that training wrote"
    )


def file_hashes(folder: Folder, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of files of a folder, those that are missing left out."""
    found = {}
    for name in names:
        if "/" not in name and folder.exists(name):
            try:
                found[name] = {"bytes": folder.size(name), "sha256": file_hash(folder, name)}
            except IsADirectoryError:
                continue
    return found


def differing_weights(model: Folder, checkpoint: Folder) -> tuple[list[str], int]:
    """Parameters of a checkpoint that a model folder lacks or has with other values, and how many there are.

    One tensor of each is in memory at a time.

    Raises:
        OSError: A file is missing.
        ValueError: A file is no safetensors.
    """
    # Here and not above: torch takes seconds to import.
    import torch
    from safetensors import SafetensorError, safe_open

    with model.as_local() as folder, checkpoint.as_local() as place:
        places: dict[str, Any] = {}
        try:
            for path in sorted(folder.glob(f"*{_WEIGHTS}")):
                with safe_open(path, framework="pt") as weights:
                    places |= dict.fromkeys(weights.keys(), path)
            other = []
            with safe_open(place / f"model{_WEIGHTS}", framework="pt") as kept:
                names = list(kept.keys())
                for name in names:
                    if name not in places:
                        other.append(name)
                        continue
                    with safe_open(places[name], framework="pt") as weights:
                        own, wanted = weights.get_tensor(name), kept.get_tensor(name)
                    if own.shape != wanted.shape or not torch.equal(own, wanted.to(own.dtype)):
                        other.append(name)
        except SafetensorError as error:
            raise ValueError(str(error)) from error
    return other, len(names)
