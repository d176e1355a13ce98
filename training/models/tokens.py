"""What training needs to know of a byte-level tokenizer: bytes of each token, and the end-of-document token.

Only the JSON files are read; no tokenizer code runs.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from ringlake.base.storage import Folder
from training.errors import DataError

TOKENIZER_FILE = "tokenizer.json"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"

MAX_TOKENIZER_BYTES = 256 << 20
"""A vocabulary of a million entries takes about a tenth of it."""


class TokenizerFile:
    """The tokenizer.json of a folder, parsed once for all that is asked of it.

    Raises:
        DataError: It is missing, too large or damaged.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._tree = read_tokenizer(folder)

    def byte_lengths(self) -> npt.NDArray[np.int64]:
        """UTF-8 bytes that each token stands for, int64 of shape (vocab_size,); special ones: 0.

        In the byte-level alphabet (Radford et al., 2019, section 2.2) each character of an entry is a byte.

        Raises:
            DataError: The tokenizer is no byte-level BPE or Unigram, or its ids have gaps.
        """
        tree, path = self._tree, self._folder.file(TOKENIZER_FILE).location
        model = tree.get("model") or {}
        if model.get("type") not in ("BPE", "Unigram") or "ByteLevel" not in json.dumps(tree.get("decoder")):
            raise DataError(
                f"{path} is a {model.get('type')!r} tokenizer; bits per byte need a byte-level BPE or "
                f"Unigram (decoder ByteLevel)"
            )
        vocab = model.get("vocab", {})
        # A unigram model lists [piece, score] in the order of the ids.
        entries = (
            vocab.items()
            if isinstance(vocab, dict)
            else ((item[0], number) for number, item in enumerate(vocab))
        )
        lengths = {int(number): len(entry) for entry, number in entries}
        for token in tree.get("added_tokens", []):
            lengths[int(token["id"])] = 0 if token.get("special") else len(str(token["content"]).encode())
        if sorted(lengths) != list(range(len(lengths))):
            raise DataError(f"{path}: {len(lengths)} token ids are not 0 to {len(lengths) - 1} without a gap")
        return np.array([lengths[number] for number in range(len(lengths))], dtype=np.int64)

    def end_of_document_id(self) -> int | None:
        """Id of the token that ends a document: the configured end-of-sequence token, else the only special
        one. None if the tokenizer names none, or several without saying which.
        """
        added = self._tree.get("added_tokens", [])
        special = {str(token["content"]): int(token["id"]) for token in added if token.get("special")}
        named = self._named("eos_token")
        if named in special:
            return special[named]
        return next(iter(special.values())) if len(special) == 1 else None

    def pad_id(self, otherwise: int) -> int:
        """Id of the token that its configuration names for padding, or another one."""
        named = self._named("pad_token")
        found = {str(token["content"]): int(token["id"]) for token in self._tree.get("added_tokens", [])}
        return found.get(str(named), otherwise)

    def _named(self, name: str) -> Any:
        """A token as tokenizer_config.json names it."""
        if not self._folder.exists(TOKENIZER_CONFIG_FILE):
            return None
        named = read_json(self._folder, TOKENIZER_CONFIG_FILE).get(name)
        return named.get("content") if isinstance(named, dict) else named


def read_tokenizer(folder: Folder) -> dict[str, Any]:
    """The JSON tree of a folder's tokenizer.json; DataError if it is missing, too large or damaged."""
    return read_json(folder, TOKENIZER_FILE)


def read_json(folder: Folder, name: str) -> dict[str, Any]:
    """The JSON object of a file beside a tokenizer; DataError if it is missing, too large or damaged."""
    place = f"{folder.location}/{name}"
    try:
        size = folder.size(name)
        if size > MAX_TOKENIZER_BYTES:
            raise DataError(
                f"{place} has {size} bytes, more than the {MAX_TOKENIZER_BYTES} a tokenizer may have"
            )
        tree = json.loads(folder.read(name))
    except FileNotFoundError:
        raise DataError(f"{place} does not exist; tokenize the corpus first") from None
    except ValueError as error:
        raise DataError(f"{place} is not valid JSON: {error}") from None
    if not isinstance(tree, dict):
        raise DataError(f"{place} must hold a JSON object")
    return tree
