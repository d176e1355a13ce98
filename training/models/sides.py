"""A model folder whose targets have a tokenizer of their own: where it lies, and how the folder says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringlake.base.storage import Folder

TARGET_FOLDER = "target"
"""The folder of that tokenizer in the model's: `AutoTokenizer.from_pretrained(model, subfolder="target")`."""

TARGET_KEY = "target_tokenizer"
"""The key of config.json that names it, so that a folder which has lost it is told from one that has none."""


def has_target(config: Mapping[str, Any]) -> bool:
    """Whether the targets of a model have a tokenizer of their own.

    Args:
        config: Content of its config.json.
    """
    return config.get(TARGET_KEY) == TARGET_FOLDER


def names_within(folder: Folder) -> list[str]:
    """Names of the files of a model folder, those of its tokenizer of targets with their place in it."""
    more = (f"{TARGET_FOLDER}/{name}" for name in folder.child(TARGET_FOLDER).names())
    return [*folder.names(), *more]


def decoder_size(config: Mapping[str, Any]) -> int | None:
    """Entries of the vocabulary that the decoder of a model has for itself; None: it has the encoder's.

    Args:
        config: Content of its config.json.
    """
    size = config.get("decoder_vocab_size")
    shared = config.get("share_encoder_decoder_embeddings", True)
    return size if isinstance(size, int) and not shared else None
