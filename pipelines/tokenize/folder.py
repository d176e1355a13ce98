"""A tokenizer's folder: what lies in it, and how it is written and read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from pipelines.errors import InputError
from training.models.portable import portable_settings

END_OF_DOCUMENT = "<|endofdoc|>"

TOKENIZER, CONFIG, SPECIAL = "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"

MAX_TOKENIZER_BYTES = 256 * 2**20
"""Largest tokenizer.json that is read; those of models with 256,000 entries have about 35 MB."""

MAX_CONFIG_BYTES = 16 * 2**20


@dataclass(frozen=True)
class TokenizerInfo:
    """A tokenizer on disk.

    Attributes:
        folder: Folder that `AutoTokenizer.from_pretrained` opens.
        sha256: SHA-256 of its tokenizer.json, hexadecimal.
        vocab_size: Largest token id plus one: rows that an embedding needs.
        eod_id: Id of the end-of-document token, which also pads.
    """

    folder: Path
    sha256: str
    vocab_size: int
    eod_id: int


def read_json(path: Path, max_bytes: int) -> str:
    """The text of a JSON file of limited size; InputError if it is missing, too large or no UTF-8."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise InputError(f"{path}: {size} bytes is more than the {max_bytes} that such a file may have")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def parse_tokenizer(text: str, origin: str) -> Tokenizer:
    """A tokenizer from the content of a tokenizer.json, without truncation and padding."""
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # the library raises nothing more specific
        raise InputError(f"{origin} is no tokenizer.json that `tokenizers` can load: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def token_id(tokenizer: Tokenizer, token: str, origin: str, key: str = "tokenize.end_token") -> int:
    """The id of a token; InputError, which names the key, if the vocabulary lacks it."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise InputError(
            f"{origin} has no token {token!r} in its vocabulary; name the one that ends a document in {key}"
        )
    return int(found)


def highest_id(tokenizer: Tokenizer) -> int:
    """The largest token id of a tokenizer, added tokens included."""
    return int(max(tokenizer.get_vocab(with_added_tokens=True).values()))


def write_folder(
    folder: Path,
    tokenizer_json: str,
    end_token: str,
    settings: Mapping[str, Any] | None = None,
    padding_side: str = "left",
) -> TokenizerInfo:
    """Writes a tokenizer's folder in one step: it is there as a whole or not at all.

    Args:
        folder: Where to; what lies there is replaced.
        tokenizer_json: Content of tokenizer.json.
        end_token: The token that ends a document.
        settings: Content of the tokenizer_config.json that it came with; what changes no id is taken over.
        padding_side: Where texts are padded, see `training.models.portable.portable_settings`.
    """
    tokenizer = parse_tokenizer(tokenizer_json, str(folder / TOKENIZER))
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    config = portable_settings(settings or {}, end_token, added, padding_side)
    special = {name: config[name] for name in ("eos_token", "pad_token")}
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write(draft / TOKENIZER, tokenizer_json)
        _write(draft / CONFIG, json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
        _write(draft / SPECIAL, json.dumps(special, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
        draft.chmod(0o755)
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
            folder.rename(old / folder.name)
            draft.rename(folder)
            shutil.rmtree(old)
        else:
            draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return TokenizerInfo(
        folder=folder,
        sha256=hashlib.sha256(tokenizer_json.encode()).hexdigest(),
        vocab_size=highest_id(tokenizer) + 1,
        eod_id=token_id(tokenizer, end_token, str(folder)),
    )


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
