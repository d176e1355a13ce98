"""A corpus with planted boilerplate and near-duplicates; a recipe that keeps them, and one that does not."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from tests.support.cli import SMALL_RUN, write_run
from tests.support.corpus import docstrings

_MENU = ["Home", "Products", "Cart", "Login", "Help", "Contact", "Search", "Imprint", "Jobs", "News"]


def write_planted(path: Path, num_documents: int, junk: int = 4) -> dict[str, int]:
    """Writes a JSONL corpus of docstrings, near-duplicates of some, and pages of menus.

    Args:
        path: Where.
        num_documents: Docstrings.
        junk: Pages of menus for each docstring, a text of some hundred bytes each.

    Returns:
        How many documents there are of each kind.
    """
    random_ = random.Random(1)
    texts = docstrings()[:num_documents]
    lines = [{"id": f"u{number}", "text": text} for number, text in enumerate(texts)]
    long_texts = [text for text in texts if len(text.split()) > 80]
    for number, text in enumerate(long_texts[:20]):
        lines += [
            {"id": f"n{number}.{copy}", "text": f"{text}\nSee also the manual, page {copy}."}
            for copy in range(3)
        ]
    for number in range(junk * len(texts)):
        words = [random_.choice(_MENU) for _ in range(6)]
        page = [f"{' | '.join(words)} | {random_.randrange(10**6)}" for _ in range(8)]
        lines.append({"id": f"b{number}", "text": "\n".join(page + page)})
    random_.shuffle(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return {
        "unique": len(texts),
        "near": 3 * min(20, len(long_texts)),
        "boilerplate": junk * len(texts),
    }


KEEPS: dict[str, Any] = {
    "clean": {"rules": ["length.words.min"]},
    "dedup": {"method": "exact", "validation_fraction": 0.02},
}
"""Sections of a recipe that keeps boilerplate and near-duplicates."""

DROPS: dict[str, Any] = {
    "clean": {"rules": ["length.words.min", "gopher.duplicate_lines.max"]},
    "dedup": {"method": "minhash", "validation_fraction": 0.02},
}
"""Sections of one that drops both."""


def write_recipes(folder: Path, corpus: Path, **changes: Any) -> tuple[Path, Path]:
    """The run files of both recipes, which train the same tiny model on one rank."""
    train = {**SMALL_RUN["train"], "num_ranks": 1, "validate_every": 0, "checkpoint_every": 0}
    common = {"train": {**train, **changes}}
    keeps = write_run(folder / "keeps.yaml", corpus, **common, **KEEPS)
    drops = write_run(folder / "drops.yaml", corpus, **common, **DROPS)
    return keeps, drops
