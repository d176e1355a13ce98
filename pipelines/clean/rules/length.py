"""Rules on the length of a text, for those who want no other."""

from __future__ import annotations

from pipelines.clean.rules.rule import Rule
from pipelines.clean.stats import BatchStats, Values

_OWN = "ringlake's own"


def num_words(stats: BatchStats) -> Values:
    """Words, by the profile's splitter."""
    return stats.num_words.astype(float)


def num_characters(stats: BatchStats) -> Values:
    """Characters, white space included."""
    return stats.num_chars.astype(float)


RULES: tuple[Rule, ...] = (
    # One of each is what it takes not to be empty; a run sets what it wants.
    Rule("length.words.min", num_words, "<", 1, "Words, by the profile's splitter.", _OWN),
    Rule("length.characters.min", num_characters, "<", 1, "Characters, white space included.", _OWN),
)
