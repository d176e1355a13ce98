"""Whether tokenizer, sequences and model belong together; asked on the driver, before any rank starts."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from conf.model import TWO_VOCABULARIES, ModelConfig
from ringlake.base.storage import Folder
from training.data.snapshot import Snapshot
from training.errors import DataError
from training.facts import TargetVocabulary, target_of
from training.models.sides import TARGET_FOLDER, decoder_size, has_target
from training.models.tokens import MAX_TOKENIZER_BYTES, TOKENIZER_FILE, read_json, read_tokenizer

CONFIG_FILE = "config.json"


def check_tokenizer(
    folder: str | Path, snapshot: Snapshot, remedy: str, target: TargetVocabulary | None = None
) -> None:
    """DataError unless a folder's tokenizer.json is the one that made the sequences.

    Args:
        folder: Folder of the tokenizer, or of a model with its tokenizer.
        snapshot: The sequences.
        remedy: What to do about another one.
        target: What is noted of the tokenizer of their targets, where that is asked about.
    """
    wanted = snapshot.tokenizer_hash if target is None else target.tokenizer_hash
    place = Folder(str(folder))
    if not place.exists(TOKENIZER_FILE):
        raise DataError(f"{folder}/{TOKENIZER_FILE} does not exist; {remedy}")
    size = place.size(TOKENIZER_FILE)
    if size > MAX_TOKENIZER_BYTES:
        raise DataError(
            f"{folder}/{TOKENIZER_FILE} has {size} bytes, more than {MAX_TOKENIZER_BYTES}; {remedy}"
        )
    found = sha256(place.read(TOKENIZER_FILE)).hexdigest()
    if found != wanted:
        raise DataError(
            f"{folder}/{TOKENIZER_FILE} has the SHA-256 {found}, but the sequences of {snapshot.table} "
            f"version {snapshot.version} were made with a tokenizer of SHA-256 {wanted}"
            f"{'' if target is None else ' for their targets'}; "
            f"{remedy}"
        )


def check_pretrained(
    model: ModelConfig, tokenizer: str | Path, snapshot: Snapshot, target_tokenizer: str | Path | None = None
) -> None:
    """DataError if the model to start from brings a tokenizer whose ids mean something else.

    What counts are the ids and the merges, not the bytes of the file: libraries write one tokenizer in
    several ways. A folder without tokenizer.json cannot be checked here; its vocabulary's size is, on the
    ranks.

    Args:
        model: The model section.
        tokenizer: Folder of the tokenizer that made the sequences.
        snapshot: The sequences.
        target_tokenizer: Folder of the tokenizer of their targets; None: they have that one.
    """
    _check_sides(model, snapshot)
    if model.pretrained is None:
        return
    own = Folder(model.pretrained)
    sides = [("", own, Folder(str(tokenizer)), "tokenize.tokenizer to the model's own folder")]
    if target_tokenizer is not None:
        remedy = f"task.target_tokenizer to its folder {TARGET_FOLDER!r}"
        sides.append((" for targets", own.child(TARGET_FOLDER), Folder(str(target_tokenizer)), remedy))
    for side, theirs, ours, remedy in sides:
        if not theirs.exists(TOKENIZER_FILE):
            continue
        try:
            difference = _difference(read_tokenizer(theirs), read_tokenizer(ours))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"model.pretrained = {model.pretrained!r}: its {TOKENIZER_FILE}{side} has no list of tokens "
                f"as tokenizers writes it ({type(error).__name__}: {error})"
            ) from None
        if difference:
            raise DataError(
                f"model.pretrained = {model.pretrained!r} has another tokenizer{side} than the sequences of "
                f"{snapshot.table} version {snapshot.version}: {difference}; set {remedy} and tokenize again"
            )


def _check_sides(model: ModelConfig, snapshot: Snapshot) -> None:
    """DataError unless model and sequences both have one vocabulary, or one for texts and one for targets."""
    target = target_of(snapshot.task)
    made = f"the sequences of {snapshot.table} version {snapshot.version}"
    if target is not None and model.has_one_vocabulary:
        raise DataError(
            f"{made} have a vocabulary of {snapshot.vocab_size} tokens for texts and one of "
            f"{target.vocab_size} for targets, and a {model.architecture!r} model has one for both; set "
            f"model.architecture to {' or '.join(TWO_VOCABULARIES)}, or task.target_tokenizer to shared"
        )
    if model.pretrained is None or not Folder(model.pretrained).exists(CONFIG_FILE):
        return
    config = read_json(Folder(model.pretrained), CONFIG_FILE)
    size, own = config.get("vocab_size"), decoder_size(config)
    if target is not None and own is None:
        raise DataError(
            f"model.pretrained = {model.pretrained!r} has one vocabulary of {size} tokens for both sides, "
            f"but {made} have {snapshot.vocab_size} tokens for texts and {target.vocab_size} for targets; "
            f"set task.target_tokenizer to shared, or train from scratch"
        )
    if target is None and has_target(config):
        raise DataError(
            f"model.pretrained = {model.pretrained!r} has {size} tokens for texts and {own} for targets, but "
            f"{made} have one vocabulary of {snapshot.vocab_size} for both; set tokenize.tokenizer to that "
            f"folder, and task.target_tokenizer to its folder {TARGET_FOLDER!r}"
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
