"""FineWeb's own quality rules: Penedo et al. 2024 (arXiv 2406.17557), section 3.5, and its released code.

The paper's text gives the share of characters in duplicated lines as 0.1; the released pipeline, which made
the data set, has 0.01. The latter is used here.
"""

from __future__ import annotations

from pipelines.clean.rules.rule import Rule
from pipelines.clean.stats import BatchStats, Values, share

_ORIGIN = "FineWeb, Penedo et al. 2024, arXiv 2406.17557, section 3.5, and its released pipeline"


def line_punctuation(stats: BatchStats) -> Values:
    """Share of the lines that are not blank which end with a terminal mark."""
    return share(stats.lines.num_ended, stats.lines.num_filled)


def short_lines(stats: BatchStats) -> Values:
    """Share of the lines that are not blank which have at most 30 characters."""
    return share(stats.lines.num_short, stats.lines.num_filled)


def duplicate_line_chars(stats: BatchStats) -> Values:
    """Share of the characters, line feeds aside, in lines that occurred before in the text."""
    return share(stats.lines.repeated_filled_chars, stats.num_chars - stats.lines.num_feeds)


def newline_ratio(stats: BatchStats) -> Values:
    """Line feeds a word."""
    return share(stats.lines.num_feeds, stats.num_words)


RULES: tuple[Rule, ...] = (
    Rule(
        "fineweb.line_punctuation.min",
        line_punctuation,
        "<",
        0.12,
        "Share of lines ending with a terminal mark.",
        _ORIGIN,
    ),
    Rule(
        "fineweb.short_lines.max", short_lines, ">", 0.67, "Share of lines of at most 30 characters.", _ORIGIN
    ),
    Rule(
        "fineweb.duplicate_line_chars.max",
        duplicate_line_chars,
        ">",
        0.01,
        "Share of characters in lines that repeat an earlier one.",
        _ORIGIN,
    ),
    Rule("fineweb.newline_ratio.max", newline_ratio, ">", 0.3, "Line feeds a word.", _ORIGIN),
)
