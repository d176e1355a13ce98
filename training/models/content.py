"""Hashes of what a model starts from: files that a path names, and that may be others tomorrow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from conf.model import ModelConfig
from ringlake.base.hashing import file_hash
from ringlake.base.storage import folder_of
from training.errors import DataError
from training.models.sides import names_within

_READ_OF_A_MODEL = (".json", ".safetensors")
"""Files of a model folder that loading it may read: settings, weights, their index, the tokenizer."""


def start_content(model: ModelConfig) -> dict[str, str]:
    """The content of what a model starts from, by key of an identity; empty if it starts from a seed alone.

    Args:
        model: The model section; `embeddings` is a path or URL by now.

    Raises:
        DataError: It cannot be read.
    """
    if model.pretrained is not None:
        return {"model.pretrained.content": _told("model.pretrained", model.pretrained, _model_hash)}
    if model.embeddings is not None:
        return {"model.embeddings.content": _told("model.embeddings", model.embeddings, _embeddings_hash)}
    return {}


def _told(key: str, location: str, hashed: Callable[[str], str]) -> str:
    try:
        return hashed(location)[:16]
    except (OSError, ValueError, ImportError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{key} = {location!r} cannot be loaded: {reason}; name what exists") from error


def _embeddings_hash(location: str) -> str:
    parent, _, name = location.rpartition("/")
    return file_hash(folder_of(parent or "."), name)


def _model_hash(location: str) -> str:
    folder = folder_of(location)
    names = [name for name in names_within(folder) if name.endswith(_READ_OF_A_MODEL)]
    if not names:
        raise FileNotFoundError("there are no config.json and safetensors weights")
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\0{file_hash(folder, name)}\n".encode())
    return digest.hexdigest()
