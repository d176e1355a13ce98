"""Gopher's repetition rules: Rae et al. 2021 (arXiv 2112.11446), appendix A1.1, table A1.

Definitions as in the FineWeb code base (datatrove 0.10): shares are of the text's characters, white space
included; a top n-gram has the spaces between its words, duplicate n-grams have none and do not overlap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from pipelines.clean.rules.rule import Rule
from pipelines.clean.stats import TextStats, duplicates, share

_ORIGIN = "Gopher, Rae et al. 2021, arXiv 2112.11446, table A1"

TOP_NGRAMS = {2: 0.20, 3: 0.18, 4: 0.16}
DUPLICATE_NGRAMS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


def duplicate_paragraphs(stats: TextStats) -> float:
    """Share of the paragraphs that occurred before in the text."""
    return share(_paragraphs(stats)[0], len(stats.paragraphs))


def duplicate_paragraph_chars(stats: TextStats) -> float:
    """Share of the characters that such paragraphs have."""
    return share(_paragraphs(stats)[1], len(stats.text))


def duplicate_lines(stats: TextStats) -> float:
    """Share of the lines that occurred before in the text; runs of line feeds part lines."""
    return share(_lines(stats)[0], len(stats.line_runs))


def duplicate_line_chars(stats: TextStats) -> float:
    """Share of the characters that such lines have."""
    return share(_lines(stats)[1], len(stats.text))


def top_ngram(size: int) -> Callable[[TextStats], float]:
    """Measures the share of the characters in the most frequent n-gram; the earliest of equals counts."""

    def measure(stats: TextStats) -> float:
        words = stats.words
        ngrams = Counter(" ".join(words[i : i + size]) for i in range(len(words) - size + 1))
        if not ngrams:
            return 0.0
        ngram, count = ngrams.most_common(1)[0]
        return share(len(ngram) * count, len(stats.text))

    return measure


def duplicate_ngrams(size: int) -> Callable[[TextStats], float]:
    """Measures the share of the characters in n-grams that occurred before, none counted in two of them."""

    def measure(stats: TextStats) -> float:
        words = stats.words
        seen: set[str] = set()
        num_chars = index = 0
        while index <= len(words) - size:
            ngram = "".join(words[index : index + size])
            if ngram in seen:
                num_chars += len(ngram)
                index += size
            else:
                seen.add(ngram)
                index += 1
        return share(num_chars, len(stats.text))

    return measure


def _paragraphs(stats: TextStats) -> tuple[int, int]:
    return stats.once(_paragraphs, lambda: duplicates(stats.paragraphs))


def _lines(stats: TextStats) -> tuple[int, int]:
    return stats.once(_lines, lambda: duplicates(stats.line_runs))


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
