"""Rules on the language of a text; which languages are wanted is a setting of the profile or the run.

Without wanted languages every language is, and the rules ask only how sure the identification was.
"""

from __future__ import annotations

import numpy as np

from pipelines.clean.rules.rule import Rule
from pipelines.clean.stats import BatchStats, Values

_FINEWEB = "FineWeb, Penedo et al. 2024, arXiv 2406.17557, section 3.3"
_OWN = "ringlake's own, chosen on the documentation of a Python installation"

# Below this the model often takes English names and terms for another language. In bytes of UTF-8, because
# one Chinese character says as much as several letters.
MIN_EVIDENCE_BYTES = 60


def listed(stats: BatchStats) -> Values:
    """1 if the likeliest language is wanted, else 0."""
    return stats.languages.listed(stats.wanted).astype(float)


def score(stats: BatchStats) -> Values:
    """Probability that the text is in one of the wanted languages, among the five likeliest."""
    return stats.languages.probability(stats.wanted)


def foreign_score(stats: BatchStats) -> Values:
    """Probability of the likeliest language if it is not wanted; 0 for fewer than 60 bytes of letters."""
    foreign = ~stats.languages.listed(stats.wanted)
    long = stats.character_counts.letter_bytes >= MIN_EVIDENCE_BYTES
    return np.where(foreign & long, stats.languages.score, 0.0)


RULES: tuple[Rule, ...] = (
    Rule("language.listed.min", listed, "<", 1, "Whether the likeliest language is wanted (1 or 0).", _OWN),
    Rule("language.score.min", score, "<", 0.65, "Probability of the wanted languages.", _FINEWEB),
    Rule(
        "language.foreign_score.max",
        foreign_score,
        ">",
        0.5,
        "Probability of a language that is not wanted, where the text is long enough to tell.",
        _OWN,
    ),
)
