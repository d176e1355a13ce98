"""A tokenizer that someone brings along instead of one trained on the corpus."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from pipelines.errors import InputError
from pipelines.stage import Say
from pipelines.tokenize.folder import (
    CONFIG,
    MAX_CONFIG_BYTES,
    MAX_TOKENIZER_BYTES,
    TOKENIZER,
    TokenizerInfo,
    parse_tokenizer,
    read_json,
    token_id,
    write_folder,
)

_PROBE = "Café №1:\n\tx = {'日本': 0.5}  # 🙂 ≠ ok"


def adopt(
    source: Path, end_token: str | None, folder: Path, say: Say, special_tokens: Sequence[str] = ()
) -> TokenizerInfo:
    """Checks a tokenizer and copies it to `folder`.

    Truncation and padding that it may bring along are taken out: they would cut documents in silence.

    Args:
        source: A tokenizer.json, or a folder with one and perhaps a tokenizer_config.json.
        end_token: The token that ends a document; None: the eos_token of its configuration.
        folder: Where the copy goes.
        say: Prints what a person should know of it.
        special_tokens: Special tokens that it gets besides its own.

    Raises:
        InputError: It cannot be read or has no token that ends a document.
    """
    file = source / TOKENIZER if source.is_dir() else source
    if not file.is_file():
        raise InputError(
            f"tokenize.tokenizer = {str(source)!r}: there is no file {str(file)!r}; "
            f"name a {TOKENIZER} or a folder that holds one"
        )
    text = read_json(file, MAX_TOKENIZER_BYTES)
    tokenizer = parse_tokenizer(text, str(file))
    settings = _settings(file.with_name(CONFIG))
    end = end_token or _eos_token(settings)
    if end is None:
        raise InputError(
            f"{file}: nothing says which token ends a document; set tokenize.end_token, "
            "for example --set tokenize.end_token='</s>'"
        )
    token_id(tokenizer, end, str(file))
    written = json.loads(text)
    if written.get("truncation") is not None or written.get("padding") is not None:
        say(f"{file}: its truncation and padding are left out, so that whole documents are encoded")
        text = tokenizer.to_str()
    if special_tokens:
        tokenizer.add_special_tokens(
            [AddedToken(token, special=True, normalized=False) for token in special_tokens]
        )
        text = tokenizer.to_str()
    if tokenizer.decode(tokenizer.encode(_PROBE, add_special_tokens=False).ids) != _PROBE:
        say(f"{file}: this tokenizer does not give every text back as it was (it normalises)")
    if settings is not None:
        settings = settings | {"eos_token": end}
    return write_folder(folder, text, end, settings)


def _settings(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    try:
        settings = json.loads(read_json(file, MAX_CONFIG_BYTES))
    except ValueError as error:
        raise InputError(f"{file} is not valid JSON: {error}") from error
    if not isinstance(settings, dict):
        raise InputError(f"{file} must hold a JSON object, not a {type(settings).__name__}")
    return settings


def _eos_token(settings: dict[str, Any] | None) -> str | None:
    token = (settings or {}).get("eos_token")
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) and token else None
