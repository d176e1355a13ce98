"""Making documents and evaluation texts alike before they are compared.

A document comes repaired, changed by the steps of a profile and redacted; an evaluation text comes as its
publisher wrote it. So an evaluation text is looked for in every form that cleaning may have given it
(`pipelines.clean.forms`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa

from pipelines.text.personal_data import PLACEHOLDERS
from pipelines.text.repair import repair_all
from pipelines.text.unseen import without_unseen

PLACEHOLDER_WORDS = tuple(placeholder.strip("[]").lower() for placeholder in PLACEHOLDERS.values())
"""The word that the comparison sees where personal data was replaced."""


def documents_alike(texts: pa.Array, repaired: bool) -> pa.LargeStringArray:
    """Documents as they are compared.

    Args:
        texts: Strings; a null counts as empty.
        repaired: Whether cleaning has repaired them, which twice does nothing.
    """
    texts = texts.cast(pa.large_string()).fill_null("")
    return without_unseen(texts if repaired else repair_all(texts)[0])


class Forms(Protocol):
    """The forms in which an evaluation text may be in a corpus; whoever knows how it was cleaned gives them.

    Attributes:
        repaired: Whether the documents of the corpus are known to be repaired.
    """

    repaired: bool

    def of(self, texts: Sequence[str]) -> list[list[str]]:
        """The different forms of each text, the repaired one first, none with characters not shown."""


def placeholders_in(words: np.ndarray, placeholders: np.ndarray, length: int) -> np.ndarray:
    """How many of each `length` neighbouring words are placeholders, by the hashes of single words."""
    total = np.concatenate([[0], np.cumsum(np.isin(words, placeholders))])
    return total[length:] - total[:-length]
