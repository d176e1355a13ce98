"""Gopher's repetition rules: Rae et al. 2021 (arXiv 2112.11446), appendix A1.1, table A1.

Definitions as in the FineWeb code base (datatrove 0.10): shares are of the text's characters, white space
included; a top n-gram has the spaces between its words, duplicate n-grams have none and do not overlap.
"""

from __future__ import annotations

from collections.abc import Callable

from pipelines.clean.ngrams import DUPLICATE_SIZES, TOP_SIZES
from pipelines.clean.rules.rule import Rule
from pipelines.clean.stats import BatchStats, Values, share

_ORIGIN = "Gopher, Rae et al. 2021, arXiv 2112.11446, table A1"

TOP_NGRAMS = {2: 0.20, 3: 0.18, 4: 0.16}
DUPLICATE_NGRAMS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


def duplicate_paragraphs(stats: BatchStats) -> Values:
    """Share of the paragraphs that occurred before in the text."""
    return share(stats.lines.num_repeated_paragraphs, stats.lines.num_paragraphs)


def duplicate_paragraph_chars(stats: BatchStats) -> Values:
    """Share of the characters that such paragraphs have."""
    return share(stats.lines.repeated_paragraph_chars, stats.num_chars)


def duplicate_lines(stats: BatchStats) -> Values:
    """Share of the lines that occurred before in the text; runs of line feeds part lines."""
    return share(stats.lines.num_repeated_runs, stats.lines.num_runs)


def duplicate_line_chars(stats: BatchStats) -> Values:
    """Share of the characters that such lines have."""
    return share(stats.lines.repeated_run_chars, stats.num_chars)


def top_ngram(size: int) -> Callable[[BatchStats], Values]:
    """Measures the share of the characters in the most frequent n-gram; the earliest of equals counts."""
    column = TOP_SIZES.index(size)
    return lambda stats: share(stats.repetition[:, column], stats.num_chars)


def duplicate_ngrams(size: int) -> Callable[[BatchStats], Values]:
    """Measures the share of the characters in n-grams that occurred before, none counted in two of them."""
    column = len(TOP_SIZES) + DUPLICATE_SIZES.index(size)
    return lambda stats: share(stats.repetition[:, column], stats.num_chars)


RULES: tuple[Rule, ...] = (
    Rule(
        "gopher.duplicate_paragraphs.max",
        duplicate_paragraphs,
        ">",
        0.30,
        "Share of paragraphs that repeat an earlier one.",
        _ORIGIN,
    ),
    Rule(
        "gopher.duplicate_paragraph_chars.max",
        duplicate_paragraph_chars,
        ">",
        0.20,
        "Share of characters in such paragraphs.",
        _ORIGIN,
    ),
    Rule(
        "gopher.duplicate_lines.max",
        duplicate_lines,
        ">",
        0.30,
        "Share of lines that repeat an earlier one.",
        _ORIGIN,
    ),
    Rule(
        "gopher.duplicate_line_chars.max",
        duplicate_line_chars,
        ">",
        0.20,
        "Share of characters in such lines.",
        _ORIGIN,
    ),
    *(
        Rule(
            f"gopher.top_{size}_gram.max",
            top_ngram(size),
            ">",
            threshold,
            f"Share of characters in the most frequent {size}-gram.",
            _ORIGIN,
        )
        for size, threshold in TOP_NGRAMS.items()
    ),
    *(
        Rule(
            f"gopher.duplicate_{size}_grams.max",
            duplicate_ngrams(size),
            ">",
            threshold,
            f"Share of characters in {size}-grams that repeat an earlier one.",
            _ORIGIN,
        )
        for size, threshold in DUPLICATE_NGRAMS.items()
    ),
)
