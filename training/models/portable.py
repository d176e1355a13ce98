"""A tokenizer folder that `transformers` opens with the ids of its tokenizer.json.

`transformers` 5 builds the class that a tokenizer_config.json declares, or that it has registered for the
model type of a config.json beside it, and some classes bring a pre-tokenizer and a normaliser of their own.
Here the configuration is written anew, from what is known to leave the ids alone, and what `AutoTokenizer`
makes of it is compared with tokenizer.json part by part: equal parts give equal ids to every text.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from training.errors import DataError
from training.models.tokens import TOKENIZER_CONFIG_FILE, TOKENIZER_FILE

CLASS = "PreTrainedTokenizerFast"
"""The class that takes tokenizer.json as it is; other versions of `transformers` know it by this name too."""

NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")

_MORE_NAMED = ("additional_special_tokens", "extra_special_tokens", "model_specific_special_tokens")
"""Lists of further special tokens, or objects with a name for each, in older and newer configurations."""

NO_LIMIT = 10**30
"""What `transformers` writes for a tokenizer without a longest input (VERY_LARGE_INTEGER)."""

_PARTS = ("normalizer", "pre_tokenizer", "model", "added_tokens", "decoder")
_PROBE = "Caf\u00e9 123456  don't\r\n\n\tx = {'\u65e5\u672c': 0.5}  # \U0001f642 \u2260 ok"


def portable_settings(
    given: Mapping[str, Any], end_token: str | None, added: Collection[str], padding_side: str = "left"
) -> dict[str, Any]:
    """The content of a tokenizer_config.json that changes no id.

    Args:
        given: The configuration that the tokenizer came with; what could change ids is left out.
        end_token: The token that ends a document, which also pads.
        added: The added tokens of tokenizer.json: another one that is named would be added to them.
        padding_side: Where a text is padded: at the left for a causal model, whose prompt is continued at its
            right end; at the right for encoders.
    """
    settings: dict[str, Any] = {}
    for name in NAMED:
        token = token_text(given.get(name))
        if token is not None and token in added:
            settings[name] = token
    if end_token is not None:
        # An encoder's own token for padding stays.
        pad = end_token if padding_side == "left" else settings.get("pad_token", end_token)
        settings |= {"eos_token": end_token, "pad_token": pad}
    longest = given.get("model_max_length")
    if not isinstance(longest, int) or isinstance(longest, bool) or not 0 < longest <= NO_LIMIT:
        longest = NO_LIMIT
    has_template = isinstance(given.get("chat_template"), str)
    if has_template:
        settings["chat_template"] = given["chat_template"]
    return settings | {
        "tokenizer_class": CLASS,
        "clean_up_tokenization_spaces": False,
        "model_max_length": longest,
        # What has segments beside these takes them for one where they are left out.
        "model_input_names": ["input_ids", "attention_mask"],
        "padding_side": padding_side,
        # A text that spells the end-of-document token gets the same ids here as in the table `tokens`. But
        # what a chat template writes is a text too, to `apply_chat_template`, whose tokens are to be found.
        "split_special_tokens": not has_template,
    }


def special_names(given: Mapping[str, Any]) -> list[str]:
    """The tokens that a configuration names as special, without the unknown token, which stands for text."""
    named = [given.get(name) for name in NAMED if name != "unk_token"]
    for name in _MORE_NAMED:
        more = given.get(name)
        named += list(more.values()) if isinstance(more, dict) else more if isinstance(more, list) else []
    return [text for token in named if (text := token_text(token)) is not None]


def token_text(named: Any) -> str | None:
    """A token as a configuration names it: a string, or an object with its content."""
    if isinstance(named, dict):
        named = named.get("content")
    return named if isinstance(named, str) and named else None


def make_portable(folder: Path, padding_side: str = "left", subfolder: str = "") -> None:
    """Writes a folder's tokenizer_config.json anew, and checks what `AutoTokenizer` makes of the folder.

    Args:
        folder: Local folder with tokenizer.json, perhaps its configuration, perhaps a model's config.json.
        padding_side: Where a text is padded, see `portable_settings`.
        subfolder: Where in the folder the tokenizer lies; empty: in itself.

    Raises:
        DataError: `AutoTokenizer` makes another tokenizer of it.
    """
    file = folder / subfolder / TOKENIZER_CONFIG_FILE
    try:
        given = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        tokenizer = Tokenizer.from_file(str(folder / subfolder / TOKENIZER_FILE))
    except Exception as error:  # the library raises nothing more specific
        raise DataError(f"the tokenizer cannot be read: {_line(error)}") from error
    if not isinstance(given, dict):
        raise DataError(f"{TOKENIZER_CONFIG_FILE} must hold a JSON object, not a {type(given).__name__}")
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    end = token_text(given.get("eos_token"))
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    settings = portable_settings(given, end if end in vocabulary else None, added, padding_side)
    file.write_text(json.dumps(settings, indent=2, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
    if difference(folder, subfolder) is None:
        return
    # For some model types `transformers` takes its registered class whatever the configuration declares,
    # unless that maps classes itself; of a map without a module the declared class remains.
    settings["auto_map"] = {"AutoTokenizer": [None, CLASS]}
    file.write_text(json.dumps(settings, indent=2, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
    found = difference(folder, subfolder)
    if found is not None:
        raise DataError(
            f"AutoTokenizer would give texts other ids than the sequences have: {found}; take another "
            f"model.architecture or another tokenize.tokenizer"
        )


def difference(folder: Path, subfolder: str = "") -> str | None:
    """How the tokenizer that `AutoTokenizer` makes of a folder differs from its tokenizer.json, if at all.

    Args:
        folder: Local folder.
        subfolder: Where in it the tokenizer lies, as `AutoTokenizer` is told; empty: in itself.
    """
    # Here and not above: it takes seconds, and the data stages read `portable_settings` alone.
    from transformers import AutoTokenizer

    plain = Tokenizer.from_file(str(folder / subfolder / TOKENIZER_FILE))
    try:
        opened = AutoTokenizer.from_pretrained(
            str(folder), subfolder=subfolder, local_files_only=True, trust_remote_code=False
        )
        # The probes below are no texts for a model: nothing is said of their length.
        opened.model_max_length = NO_LIMIT
        backend = opened.backend_tokenizer
    except Exception as error:  # noqa: BLE001 - each class raises its own
        return f"it cannot open the folder ({_line(error)})"
    has_template = bool(getattr(opened, "chat_template", None))
    wanted, found = json.loads(plain.to_str()), json.loads(backend.to_str())
    for part in _PARTS:
        if wanted[part] != found[part]:
            return f"its class {type(opened).__name__} has another {part.replace('_', ' ')}"
    if backend.encode_special_tokens == has_template:
        told = (
            "does not find the chat template's tokens" if has_template else "finds special tokens in a text"
        )
        return f"its class {type(opened).__name__} {told}"
    plain.encode_special_tokens = not has_template
    plain.no_truncation()
    plain.no_padding()
    texts = [_PROBE, *(token.content for token in plain.get_added_tokens_decoder().values())]
    for text in texts[:1000]:
        ids = plain.encode(text, add_special_tokens=False).ids
        if list(opened(text, add_special_tokens=False)["input_ids"]) != ids:
            return f"it gives other ids to {text[:60]!r}"
    return None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
