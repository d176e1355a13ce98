"""Whether tokenizer, sequences and model belong together; asked on the driver, before any rank starts."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from conf.model import ModelConfig
from ringlake.base.storage import Folder
from training.data.snapshot import Snapshot
from training.errors import DataError
from training.models.tokens import MAX_TOKENIZER_BYTES, TOKENIZER_FILE, read_tokenizer


def check_tokenizer(folder: str | Path, snapshot: Snapshot, remedy: str) -> None:
    """DataError unless a folder's tokenizer.json is the one that made the sequences.

    Args:
        folder: Folder of the tokenizer, or of a model with its tokenizer.
        snapshot: The sequences.
        remedy: What to do about another one.
    """
    place = Folder(str(folder))
    if not place.exists(TOKENIZER_FILE):
        raise DataError(f"{folder}/{TOKENIZER_FILE} does not exist; {remedy}")
    size = place.size(TOKENIZER_FILE)
    if size > MAX_TOKENIZER_BYTES:
        raise DataError(
            f"{folder}/{TOKENIZER_FILE} has {size} bytes, more than {MAX_TOKENIZER_BYTES}; {remedy}"
        )
    found = sha256(place.read(TOKENIZER_FILE)).hexdigest()
    if found != snapshot.tokenizer_hash:
        raise DataError(
            f"{folder}/{TOKENIZER_FILE} has the SHA-256 {found}, but the sequences of {snapshot.table} "
            f"version {snapshot.version} were made with a tokenizer of SHA-256 {snapshot.tokenizer_hash}; "
            f"{remedy}"
        )


def check_pretrained(model: ModelConfig, tokenizer: str | Path, snapshot: Snapshot) -> None:
    """DataError if the model to start from brings a tokenizer whose ids mean something else.

    What counts are the ids and the merges, not the bytes of the file: libraries write one tokenizer in
    several ways. A folder without tokenizer.json cannot be checked here; its vocabulary's size is, on the
    ranks.

    Args:
        model: The model section.
        tokenizer: Folder of the tokenizer that made the sequences.
        snapshot: The sequences.
    """
    if model.pretrained is None or not Folder(model.pretrained).exists(TOKENIZER_FILE):
        return
    theirs, ours = (read_tokenizer(Folder(str(folder))) for folder in (model.pretrained, tokenizer))
    try:
        difference = _difference(theirs, ours)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"model.pretrained = {model.pretrained!r}: its {TOKENIZER_FILE} has no list of tokens as "
            f"tokenizers writes it ({type(error).__name__}: {error})"
        ) from None
    if difference:
        raise DataError(
            f"model.pretrained = {model.pretrained!r} has another tokenizer than the sequences of "
            f"{snapshot.table} version {snapshot.version}: {difference}; set tokenize.tokenizer to the "
            f"model's own folder and tokenize again"
        )


def _difference(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    first, second = _tokens(theirs), _tokens(ours)
    for number in sorted({*first, *second}):
        if first.get(number) != second.get(number):
            return (
                f"{len(first)} tokens there and {len(second)} here, and id {number} is "
                f"{first.get(number)!r} there, {second.get(number)!r} here"
            )
    merges = _merges(theirs), _merges(ours)
    if merges[0] != merges[1]:
        place = next(
            (at for at, pair in enumerate(zip(*merges, strict=False)) if pair[0] != pair[1]),
            min(map(len, merges)),
        )
        pairs = [found[place] if place < len(found) else None for found in merges]
        return f"merge {place} is {pairs[0]!r} there, {pairs[1]!r} here"
    return ""


def _tokens(tree: dict[str, Any]) -> dict[int, str]:
    """Id to token of a tokenizer.json, added tokens included."""
    vocab = (tree.get("model") or {}).get("vocab") or {}
    # A unigram model lists [token, score] in the order of the ids.
    pairs = vocab.items() if isinstance(vocab, dict) else ((item[0], at) for at, item in enumerate(vocab))
    found = {int(number): str(token) for token, number in pairs}
    for token in tree.get("added_tokens") or []:
        found[int(token["id"])] = str(token["content"])
    return found


def _merges(tree: dict[str, Any]) -> list[str]:
    merges = (tree.get("model") or {}).get("merges") or []
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]
