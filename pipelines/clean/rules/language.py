"""Rules on the language of a text; which languages are wanted is a setting of the profile or the run.

Without wanted languages every language is, and the rules ask only how sure the identification was.
"""

from __future__ import annotations

from pipelines.clean.rules.rule import Rule
from pipelines.clean.stats import TextStats

_FINEWEB = "FineWeb, Penedo et al. 2024, arXiv 2406.17557, section 3.3"
_OWN = "ringlake's own, chosen on the documentation of a Python installation"

# Below this the model often takes English names and terms for another language. In bytes of UTF-8, because
# one Chinese character says as much as several letters.
MIN_EVIDENCE_BYTES = 60


def listed(stats: TextStats) -> float:
    """1 if the likeliest language is wanted, else 0."""
    return float(not stats.languages or stats.language.code in stats.languages)


def score(stats: TextStats) -> float:
    """Probability that the text is in one of the wanted languages, among the five likeliest."""
    return stats.language.probability(stats.languages)


def foreign_score(stats: TextStats) -> float:
    """Probability of the likeliest language if it is not wanted; 0 for fewer than 60 bytes of letters."""
    if listed(stats):
        return 0.0
    num_bytes = len("".join(filter(str.isalpha, stats.text)).encode())
    return stats.language.score if num_bytes >= MIN_EVIDENCE_BYTES else 0.0


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
