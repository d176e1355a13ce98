"""Gopher's quality rules: Rae et al. 2021 (arXiv 2112.11446), appendix A1.1, "Quality Filtering".

Where the paper leaves a definition open, it is that of the FineWeb code base (datatrove 0.10), so that
decisions agree: words of symbols alone are not counted as words and have no part in the mean length, but
are among the words for ratios.
"""

from __future__ import annotations

from pipelines.clean.rules.rule import Rule, pair
from pipelines.clean.stats import BatchStats, Values, share

_ORIGIN = "Gopher, Rae et al. 2021, arXiv 2112.11446, A1.1 quality filtering"


def num_words(stats: BatchStats) -> Values:
    """Words that are not symbols alone."""
    return stats.word_counts.num_non_symbol.astype(float)


def mean_word_length(stats: BatchStats) -> Values:
    """Characters a word; 0 without words."""
    return share(stats.word_counts.non_symbol_chars, stats.word_counts.num_non_symbol)


def hash_ratio(stats: BatchStats) -> Values:
    """Hash signs a word."""
    return share(stats.character_counts.num_hashes, stats.num_words)


def ellipsis_ratio(stats: BatchStats) -> Values:
    """Ellipses a word."""
    return share(stats.character_counts.num_ellipses, stats.num_words)


def bullet_lines(stats: BatchStats) -> Values:
    """Share of all lines that begin with a bullet or a hyphen, white space aside."""
    return share(stats.lines.num_bullets, stats.lines.num_lines)


def ellipsis_lines(stats: BatchStats) -> Values:
    """Share of all lines that end with an ellipsis, white space aside."""
    return share(stats.lines.num_ellipses, stats.lines.num_lines)


def alphabetic_words(stats: BatchStats) -> Values:
    """Share of all words, symbols included, that have a letter."""
    return share(stats.word_counts.num_alphabetic, stats.num_words)


def stop_words(stats: BatchStats) -> Values:
    """How many of the eight stop words, or of those that the run has for the language, occur in lower case.

    Each is counted once.
    """
    return stats.word_counts.num_stop_words.astype(float)


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
