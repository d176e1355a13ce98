"""Special tokens that no text can spell: how a tokenizer is made so, and how one that is not is found.

`tokenizers` leaves special tokens in a text alone where it is told to. Three ways remain by which a text may
become one: the token is an added token that is not marked as special; the vocabulary of the model itself has
it, and merges, pieces or whole words lead to it; a normaliser makes it of other characters. The first is
mended by the mark. Of the others a tokenizer is refused whose merges lead there, or that a text of many that
spell the token shows to be so, and every id that is given out is looked at (`Guard`).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from pipelines.errors import InputError
from pipelines.tokenize.folder import parse_tokenizer
from schemas.token_ids import TokenIds

_AROUND = ("", " ", "a", "\n", "1", ".")
"""What a spelled token may stand between: nothing, white space, a letter, a digit, punctuation."""

_TRIED_AROUND = 1000
"""Special tokens that are tried between others: some tokenizers have thousands of reserved ones."""

_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_COMBINING_ACUTE = "\u0301"


class SpecialTokenError(Exception):
    """A text was given the id of a special token."""


class Guard:
    """Looks at all ids for those of special tokens.

    Args:
        specials: Id to name of the tokens that no text may yield.
    """

    def __init__(self, specials: dict[int, str]) -> None:
        self._names = specials
        numbers = np.array(sorted(specials), np.int64)
        # Special tokens mostly stand side by side: a comparison with each range is faster than a table.
        parts = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1) if len(numbers) else []
        self._ranges = [(int(part[0]), int(part[-1])) for part in parts]

    def first(self, ids: TokenIds) -> tuple[int, str] | None:
        """Place and name of the first special token among ids, None if there is none."""
        places = [
            int(np.argmax(inside))
            for low, high in self._ranges
            # Unsigned: what is below `low` wraps to something large.
            if (inside := (ids - ids.dtype.type(low)) <= ids.dtype.type(high - low)).any()
        ]
        return (min(places), self._names[int(ids[min(places)])]) if places else None


def specials_of(tokenizer: Tokenizer) -> dict[int, str]:
    """Id to name of the special tokens, the unknown token left out, which stands for text.

    Args:
        tokenizer: With its special tokens marked as such.
    """
    unknown = _unknown(json.loads(tokenizer.to_str())["model"])
    added = tokenizer.get_added_tokens_decoder()
    return {
        number: token.content for number, token in added.items() if token.special and token.content != unknown
    }


def mark_special(content: str, names: Collection[str], origin: str) -> str:
    """The content of a tokenizer.json in which tokens are special; those that it lacks are added.

    Args:
        content: Content of a tokenizer.json.
        names: Tokens: added ones, entries of the model's vocabulary or new ones.
        origin: Where it comes from, for errors.
    """
    tokenizer = parse_tokenizer(content, origin)
    known = tokenizer.get_added_tokens_decoder()
    marked = {token.content for token in known.values() if token.special}
    wanted = [name for name in dict.fromkeys(names) if name not in marked]
    if not wanted:
        return content
    tree = json.loads(content)
    added = tree["added_tokens"] = list(tree.get("added_tokens") or [])
    free = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    for name in wanted:
        number = tokenizer.token_to_id(name)
        if number is None:
            number, free = free, free + 1
        entries = [token for token in added if token["content"] == name]
        for token in entries:
            token["special"] = True
        if not entries:
            added.append({"id": number, "content": name} | flags)
    added.sort(key=lambda token: int(token["id"]))
    text = json.dumps(tree, ensure_ascii=False)
    made = parse_tokenizer(text, origin).get_added_tokens_decoder()
    for token in added:
        if made.get(int(token["id"])) is None or made[int(token["id"])].content != token["content"]:
            raise InputError(
                f"{origin}: the token {token['content']!r} cannot keep or be given the id {token['id']}, "
                f"because ids before it are missing; name a tokenizer whose ids have no gap"
            )
    return text


def check_unreachable(content: str, end_token: str, origin: str, remedy: str) -> None:
    """InputError if a text can become a special token.

    Args:
        content: Content of a tokenizer.json whose special tokens are marked.
        end_token: The token that ends a document.
        origin: Where it comes from, for errors.
        remedy: What to do about it.
    """
    tokenizer = parse_tokenizer(content, origin)
    tokenizer.encode_special_tokens = True
    tree = json.loads(content)
    model = json.loads(tokenizer.to_str())["model"]
    specials = specials_of(tokenizer)
    if _unknown(model) == end_token:
        raise InputError(
            f"{origin}: {end_token!r} ends a document and stands for unknown text too, so that a text could "
            f"end a document; {remedy}"
        )
    merged = _merged(model)
    guard = Guard(specials)
    for place, name in enumerate(specials.values()):
        if name in merged:
            raise InputError(f"{origin}: merges lead to the special token {name!r}; {remedy}")
        around = _AROUND if place < _TRIED_AROUND else ("",)
        for spelled in _spellings(tokenizer, tree, name):
            texts = [f"{before}{spelled}{after}" for before in around for after in around]
            for text, encoding in zip(
                texts, tokenizer.encode_batch_fast(texts, add_special_tokens=False), strict=True
            ):
                found = guard.first(np.array(encoding.ids, np.uint32))
                if found is not None:
                    raise InputError(
                        f"{origin}: the text {text!r} gives the special token {found[1]!r}; {remedy}"
                    )


def _unknown(model: dict[str, Any]) -> str | None:
    if model.get("unk_id") is not None:
        vocab = model["vocab"]
        return str(vocab[model["unk_id"]][0]) if model["unk_id"] < len(vocab) else None
    token = model.get("unk_token")
    return str(token) if token is not None else None


def _merged(model: dict[str, Any]) -> set[str]:
    """All that the merges of a BPE lead to; of others nothing."""
    prefix = model.get("continuing_subword_prefix") or ""
    pairs = (merge.split(" ", 1) if isinstance(merge, str) else merge for merge in model.get("merges") or [])
    return {first + second.removeprefix(prefix) for first, second in pairs}


def _spellings(tokenizer: Tokenizer, tree: dict[str, Any], name: str) -> list[str]:
    """Texts that might become a token."""
    model = tree.get("model") or {}
    found = {name}
    if (number := tokenizer.token_to_id(name)) is not None:
        found.add(tokenizer.decode([number], skip_special_tokens=False))
    found |= {name.replace("\u2581", " ")}
    for part in (model.get("continuing_subword_prefix"), model.get("end_of_word_suffix")):
        found |= {name.removeprefix(part), name.removesuffix(part)} if part else set()
    of_bytes = bytes_of(name)
    if of_bytes is not None:
        found.add(of_bytes.decode("utf-8", "ignore"))
    if len(name) == 6 and name.startswith("<0x") and name.endswith(">"):
        # A byte of a tokenizer that falls back to bytes.
        with suppress(ValueError):
            found.add(chr(int(name[3:5], 16)))
    for pattern, replaced in _replacements(tree.get("normalizer")):
        if replaced:
            found |= {text.replace(replaced, pattern) for text in found}
    if tree.get("normalizer") is not None:
        for text in list(found):
            found |= {text.lower(), text.upper(), text.title(), text.translate(_FULL_WIDTH)}
            found |= {unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")}
            found.add("".join(char + _COMBINING_ACUTE if char.isalpha() else char for char in text))
    return sorted(text for text in found if text)


def _replacements(normalizer: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(normalizer, dict):
        return
    for part in reversed(normalizer.get("normalizers") or []):
        yield from _replacements(part)
    pattern = normalizer.get("pattern")
    if normalizer.get("type") == "Replace" and isinstance(pattern, dict) and "String" in pattern:
        yield str(pattern["String"]), str(normalizer.get("content") or "")


def byte_characters() -> list[str]:
    """The character that stands for each byte in the byte-level alphabet (Radford et al., 2019, 2.2)."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [value for value in range(256) if value not in shown]
    return [chr(value) if value in shown else chr(256 + hidden.index(value)) for value in range(256)]


_BYTE_OF = {char: value for value, char in enumerate(byte_characters())}


def bytes_of(entry: str) -> bytes | None:
    """The bytes that an entry of a byte-level vocabulary stands for, None if it is none."""
    values = [_BYTE_OF.get(char) for char in entry]
    return bytes(value for value in values if value is not None) if None not in values else None
