"""Our rules for API documentation and READMEs, where short texts are normal and code is welcome.

The published rules are made for web pages: Gopher's 50 words alone would turn away most docstrings. These
ask instead whether there is prose at all. The thresholds were chosen by reading what they turn away from the
documentation of a Python installation (113,000 texts); docs/corpus.md has the numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.clean.rules.rule import Rule
from pipelines.clean.stats import TextStats, duplicates, share

_ORIGIN = "ringlake's own, chosen on the documentation of a Python installation"

# Lines that nobody wrote as a sentence: doctest prompts, reST directives, rows and rules of tables, fences,
# prompts of shells and notebooks.
_MARKUP_LINE = re.compile(r"\s*(?:>>>|\.\.\.(?:\s|$)|\.\.\s|\||[+=~^*#`-]{3,}|In \[|Out\[|\$ |%\w)")

# A call with an optional result and nothing else, as binding generators put into docstrings.
_SIGNATURE_LINE = re.compile(r"\s*(?:def |class )?[\w.]+\([^()]*(?:\([^()]*\)[^()]*)*\)\s*(?:->.*|:)?\s*$")

_WORD = re.compile(r"[^\W\d_]{2,}")

_MIN_LINE_WORDS = 2
_MIN_LINE_LETTERS = 0.5


@dataclass(frozen=True)
class Prose:
    """The lines of a text that read as natural language.

    Attributes:
        num_words: Words of two letters or more in them.
        num_chars: Characters in them.
        num_repeated_chars: Characters in those of them that occurred before in the text.
        num_all_chars: Characters in all lines that are not blank.
    """

    num_words: int
    num_chars: int
    num_repeated_chars: int
    num_all_chars: int


def words_of_prose(line: str) -> int:
    """Words of two letters or more in a line of prose; 0 if the line is none.

    Prose has at least two such words, and they are at least half of its characters, spaces aside; it is no
    markup, no example of code and no signature.
    """
    words = _WORD.findall(line)
    if len(words) < _MIN_LINE_WORDS:
        return 0
    if len("".join(words)) < _MIN_LINE_LETTERS * (len(line) - line.count(" ")):
        return 0
    if _MARKUP_LINE.match(line) or ("(" in line and _SIGNATURE_LINE.match(line)):
        return 0
    return len(words)


def find_prose(lines: list[str]) -> Prose:
    """The prose among lines that are not blank."""
    num_words = 0
    kept: list[str] = []
    for line in lines:
        count = words_of_prose(line)
        if count:
            num_words += count
            kept.append(line)
    return Prose(num_words, sum(map(len, kept)), duplicates(kept)[1], sum(map(len, lines)))


def prose_words(stats: TextStats) -> float:
    """Words of prose."""
    return _prose(stats).num_words


def prose_share(stats: TextStats) -> float:
    """Share of the characters of all lines that are in lines of prose."""
    return share(_prose(stats).num_chars, _prose(stats).num_all_chars)


def repeated_prose(stats: TextStats) -> float:
    """Share of the characters of prose in lines that occurred before in the text."""
    return share(_prose(stats).num_repeated_chars, _prose(stats).num_chars)


def mean_word_length(stats: TextStats) -> float:
    """Characters a word, all words counted."""
    return share(sum(map(len, stats.words)), stats.num_words)


def _prose(stats: TextStats) -> Prose:
    return stats.once(_prose, lambda: find_prose(stats.filled_lines))


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
