"""A tokenizer that someone brings along instead of one trained on the corpus."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from pipelines.errors import InputError
from pipelines.stage_output import Say
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
from pipelines.tokenize.frame import OF_TEXTS, PLAIN, Form, Keys, framed
from pipelines.tokenize.special import check_unreachable, mark_special
from training.models.portable import difference, special_names, token_text

_REMEDY = "take another tokenizer, or one whose vocabulary does not hold it"

_PROBE = "Café №1:\n\tx = {'日本': 0.5}  # 🙂 ≠ ok"


def adopt(
    source: Path,
    end_token: str | None,
    folder: Path,
    say: Say,
    special_tokens: Sequence[str] = (),
    form: Form = PLAIN,
) -> TokenizerInfo:
    """Checks a tokenizer and copies it to `folder`.

    Truncation and padding that it may bring along are taken out: they would cut documents in silence.

    Args:
        source: A tokenizer.json, or a folder with one and perhaps a tokenizer_config.json.
        end_token: The token that ends a document; None: the eos_token of its configuration.
        folder: Where the copy goes.
        say: Prints what a person should know of it.
        special_tokens: Special tokens that it gets besides its own.
        form: What a task asks of it. A frame of its own stays where the task has one, else it is taken out;
            its own template stays where the task has none.

    Raises:
        InputError: It cannot be read or has no token that ends a document.
    """
    file = _tokenizer_file(source, form.keys)
    text = read_json(file, MAX_TOKENIZER_BYTES)
    tokenizer = parse_tokenizer(text, str(file))
    settings = form.settings(_settings(file.with_name(CONFIG)))
    end = end_token or _eos_token(settings) or (_separator(settings) if form.frame else None)
    if end is None:
        raise InputError(
            f"{file}: nothing says which token ends a document; set {form.keys.end}, "
            f"for example --set {form.keys.end}='</s>'"
        )
    token_id(tokenizer, end, str(file), form.keys.end)
    text = _plain_document(text, tokenizer, str(file), say, keeps_frame=form.frame is not None)
    named = [token for token in special_names(settings) if tokenizer.token_to_id(token) is not None]
    names = [end, *special_tokens, *named]
    marked = mark_special(text, names, str(file))
    if marked != text:
        say(f"{file}: its copy marks {_listed(text, marked)} as special, so that no text is encoded as one")
    text = marked
    try:
        check_unreachable(text, end, str(file), _REMEDY)
        tokenizer = parse_tokenizer(text, str(file))
        gives_back = tokenizer.decode(tokenizer.encode(_PROBE, add_special_tokens=False).ids) == _PROBE
    except InputError:
        raise
    except Exception as error:  # the library raises nothing more specific
        raise InputError(f"{file} cannot encode every text: {error}") from error
    if not gives_back:
        say(f"{file}: this tokenizer does not give every text back as it was (it normalises)")
    if form.frame is not None:
        text = framed(text, form.frame, end)
    info = write_folder(folder, text, end, settings, form.padding_side)
    found = difference(info.folder)
    if found is not None:
        shutil.rmtree(info.folder)
        raise InputError(
            f"{file}: AutoTokenizer would give texts other ids than this tokenizer: {found}; save it with "
            f"transformers' PreTrainedTokenizerFast, or take another one"
        )
    return info


def _plain_document(text: str, tokenizer: Tokenizer, origin: str, say: Say, *, keeps_frame: bool) -> str:
    """The content without what cuts, pads or frames a document, or draws its ids."""
    tree = json.loads(text)
    if tree.get("truncation") is not None or tree.get("padding") is not None:
        say(f"{origin}: its truncation and padding are left out, so that whole documents are encoded")
        text = tokenizer.to_str()
    if tree["model"].get("dropout"):
        say(f"{origin}: its dropout is left out, so that a text has the same ids each time")
        tree = json.loads(text)
        tree["model"]["dropout"] = None
        text = json.dumps(tree, ensure_ascii=False)
    if tokenizer.num_special_tokens_to_add(False) and not keeps_frame:
        say(
            f"{origin}: the special tokens that it puts around a text are left out, here and "
            f"in the model folder"
        )
        tree = json.loads(text)
        tree["post_processor"] = None
        text = json.dumps(tree, ensure_ascii=False)
    return text


def _listed(before: str, after: str) -> str:
    old, new = (
        {token["content"] for token in json.loads(text).get("added_tokens") or [] if token.get("special")}
        for text in (before, after)
    )
    return ", ".join(repr(token) for token in sorted(new - old))


def files_hash(source: str | None, keys: Keys = OF_TEXTS) -> str:
    """Hash of the content of the files that `adopt` reads; empty without a tokenizer.

    Args:
        source: Where they lie.
        keys: What messages call the tokenizer.

    Raises:
        InputError: There is none, or it is too large.
    """
    if source is None:
        return ""
    file = _tokenizer_file(Path(source), keys)
    digest = hashlib.sha256(read_json(file, MAX_TOKENIZER_BYTES).encode())
    settings = file.with_name(CONFIG)
    if settings.is_file():
        digest.update(b"\0" + read_json(settings, MAX_CONFIG_BYTES).encode())
    return digest.hexdigest()


def _tokenizer_file(source: Path, keys: Keys) -> Path:
    file = source / TOKENIZER if source.is_dir() else source
    if not file.is_file():
        raise InputError(
            f"{keys.place} = {str(source)!r}: there is no file {str(file)!r}; "
            f"name a {TOKENIZER} or a folder that holds one"
        )
    return file


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


def _separator(settings: dict[str, Any]) -> str | None:
    return token_text(settings.get("sep_token"))


def _eos_token(settings: dict[str, Any]) -> str | None:
    return token_text(settings.get("eos_token"))
