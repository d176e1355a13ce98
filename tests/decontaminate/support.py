"""A plain reference of words and n-gram overlap, and evaluation files."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conf.decontaminate import DecontaminateConfig
from pipelines.text.characters import LONE, TABLE_SIZE, WORD, character_classes


def words(text: str) -> list[str]:
    """The words of a lower-cased text, one character after the other."""
    classes = character_classes()
    found: list[str] = []
    inside = False
    for char in text.lower():
        kind = classes[ord(char)] if ord(char) < TABLE_SIZE else None
        if kind == WORD and inside:
            found[-1] += char
        elif kind in (WORD, LONE):
            found.append(char)
        inside = kind == WORD
        assert kind not in (WORD, LONE) or unicodedata.category(char)[0] in "LMNP"
    return found


def ngrams(sequence: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(sequence[start : start + length]) for start in range(len(sequence) - length + 1)]


def wanted(texts: Sequence[str], config: DecontaminateConfig) -> set[tuple[str, ...]]:
    """The n-grams that evaluation texts are looked for by."""
    found: set[tuple[str, ...]] = set()
    for text in texts:
        of_text = words(text)
        if config.min_item_words <= len(of_text) < config.ngram:
            found.add(tuple(of_text))
        found.update(ngrams(of_text, config.ngram))
    return found


def overlap(document: str, targets: set[tuple[str, ...]]) -> set[int]:
    """The word numbers at which an n-gram of the targets begins."""
    of_document = words(document)
    lengths = {len(target) for target in targets}
    return {
        start
        for length in lengths
        for start, ngram in enumerate(ngrams(of_document, length))
        if ngram in targets
    }


def write_jsonl(path: Path, records: Sequence[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)
