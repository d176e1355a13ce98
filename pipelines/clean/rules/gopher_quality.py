"""Gopher's quality rules: Rae et al. 2021 (arXiv 2112.11446), appendix A1.1, "Quality Filtering".

Where the paper leaves a definition open, it is that of the FineWeb code base (datatrove 0.10), so that
decisions agree: words of symbols alone are not counted as words and have no part in the mean length, but
are among the words for ratios.
"""

from __future__ import annotations

from pipelines.clean.rules.rule import Rule, pair
from pipelines.clean.stats import TextStats, share

_ORIGIN = "Gopher, Rae et al. 2021, arXiv 2112.11446, A1.1 quality filtering"

STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))

_BULLETS = ("•", "-")
_ELLIPSES = ("...", "…")


def num_words(stats: TextStats) -> float:
    """Words that are not symbols alone."""
    return len(stats.non_symbol_words)


def mean_word_length(stats: TextStats) -> float:
    """Characters a word; 0 without words."""
    words = stats.non_symbol_words
    return share(sum(map(len, words)), len(words))


def hash_ratio(stats: TextStats) -> float:
    """Hash signs a word."""
    return share(stats.text.count("#"), stats.num_words)


def ellipsis_ratio(stats: TextStats) -> float:
    """Ellipses a word."""
    return share(sum(map(stats.text.count, _ELLIPSES)), stats.num_words)


def bullet_lines(stats: TextStats) -> float:
    """Share of all lines that begin with a bullet or a hyphen, white space aside."""
    return share(sum(line.lstrip().startswith(_BULLETS) for line in stats.lines), len(stats.lines))


def ellipsis_lines(stats: TextStats) -> float:
    """Share of all lines that end with an ellipsis, white space aside."""
    return share(sum(line.rstrip().endswith(_ELLIPSES) for line in stats.lines), len(stats.lines))


def alphabetic_words(stats: TextStats) -> float:
    """Share of all words, symbols included, that have a letter."""
    return share(sum(any(map(str.isalpha, word)) for word in stats.words), stats.num_words)


def stop_words(stats: TextStats) -> float:
    """How many of the eight stop words, or of those that the run has for the language, occur in lower case.

    Each is counted once.
    """
    return len(stats.resources.stop_words.get(stats.language.code, STOP_WORDS).intersection(stats.words))


RULES: tuple[Rule, ...] = (
    *pair("gopher.words", num_words, 50, 100_000, "Words that are not symbols alone.", _ORIGIN),
    *pair("gopher.mean_word_length", mean_word_length, 3, 10, "Characters a word.", _ORIGIN),
    Rule("gopher.hash_ratio.max", hash_ratio, ">", 0.1, "Hash signs a word.", _ORIGIN),
    Rule("gopher.ellipsis_ratio.max", ellipsis_ratio, ">", 0.1, "Ellipses a word.", _ORIGIN),
    Rule(
        "gopher.bullet_lines.max", bullet_lines, ">", 0.9, "Share of lines beginning with a bullet.", _ORIGIN
    ),
    Rule(
        "gopher.ellipsis_lines.max",
        ellipsis_lines,
        ">",
        0.3,
        "Share of lines ending with an ellipsis.",
        _ORIGIN,
    ),
    Rule("gopher.alphabetic_words.min", alphabetic_words, "<", 0.8, "Share of words with a letter.", _ORIGIN),
    Rule("gopher.stop_words.min", stop_words, "<", 2, "Different English stop words, of eight.", _ORIGIN),
)
