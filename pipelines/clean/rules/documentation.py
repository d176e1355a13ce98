"""Our rules for API documentation and READMEs, where short texts are normal and code is welcome.

The published rules are made for web pages: Gopher's 50 words alone would turn away most docstrings. These
ask instead whether there is prose at all. The thresholds were chosen by reading what they turn away from the
documentation of a Python installation (113,000 texts); docs/corpus.md has the numbers.
"""

from __future__ import annotations

from pipelines.clean.rules.rule import Rule
from pipelines.clean.stats import BatchStats, Values, share

_ORIGIN = "ringlake's own, chosen on the documentation of a Python installation"


def prose_words(stats: BatchStats) -> Values:
    """Words of prose."""
    return stats.prose.num_words.astype(float)


def prose_share(stats: BatchStats) -> Values:
    """Share of the characters of all lines that are in lines of prose."""
    return share(stats.prose.num_chars, stats.lines.filled_chars)


def repeated_prose(stats: BatchStats) -> Values:
    """Share of the characters of prose in lines that occurred before in the text."""
    return share(stats.prose.num_repeated_chars, stats.prose.num_chars)


def mean_word_length(stats: BatchStats) -> Values:
    """Characters a word, all words counted."""
    return share(stats.word_counts.num_chars, stats.num_words)


RULES: tuple[Rule, ...] = (
    # "Base API.", "Set type", "od.clear() -> None" teach nothing; "Return the name of it." stays.
    Rule("documentation.prose_words.min", prose_words, "<", 4, "Words in lines of prose.", _ORIGIN),
    # Doctests behind one sentence are useful; below this there is a dump of code, output or tables.
    Rule(
        "documentation.prose.min", prose_share, "<", 0.05, "Share of characters in lines of prose.", _ORIGIN
    ),
    # Tables repeat their borders, and overloads their arguments, in good documents; where more than half of
    # the prose repeats itself, there is a template or a log.
    Rule(
        "documentation.repeated_prose.max",
        repeated_prose,
        ">",
        0.5,
        "Share of prose in lines that repeat an earlier one.",
        _ORIGIN,
    ),
    # Longer means: bare links, encoded data, and names of symbols with nothing said about them.
    Rule("documentation.mean_word_length.max", mean_word_length, ">", 25, "Characters a word.", _ORIGIN),
)
