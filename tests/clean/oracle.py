"""The quality rules on one `str`, plain and slow: what the kernels have to equal, value for value.

Words, lines and n-grams are Python strings here and compared as strings.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from icu4py.breakers import WordBreaker

from pipelines.text.characters import LONE_RANGES
from pipelines.text.punctuation import SYMBOLS, TERMINAL_PUNCTUATION

_Value = TypeVar("_Value")

_PARAGRAPH_BREAK = re.compile(r"\n{2,}")
_LINE_BREAKS = re.compile(r"\n+")

_UNSPACED = "".join(f"{chr(first)}-{chr(last)}" for first, last in LONE_RANGES)
# A run of a script without spaces, else a run of word characters, else a mark.
_PIECE = re.compile(rf"([{_UNSPACED}]+)|(?:(?![{_UNSPACED}])\w)+|[^\w\s]")


def _icu(text: str) -> list[str]:
    return [word for segment in WordBreaker(text, "en") for word in segment.split()]


def _word_or_punct_icu(text: str) -> list[str]:
    words: list[str] = []
    for match in _PIECE.finditer(text):
        words.extend(_icu(match.group()) if match.group(1) else [match.group()])
    return words


SPLITTERS: dict[str, Callable[[str], list[str]]] = {
    "word_or_punct+icu": _word_or_punct_icu,
    "word_or_punct": re.compile(r"\w+|[^\w\s]").findall,
    "whitespace": str.split,
    "icu": _icu,
}


class TextStats:
    """The shared measurements of one text.

    Attributes:
        text: The text that is measured.
        splitter: Name of the word splitter.
    """

    def __init__(
        self,
        text: str,
        splitter: str = "word_or_punct+icu",
    ) -> None:
        self.text = text
        self.splitter = splitter
        self._computed: dict[object, object] = {}

    def once(self, key: object, compute: Callable[[], _Value]) -> _Value:
        """The value of `compute`, which is called once for a key: for what the rules of one paper share."""
        if key not in self._computed:
            self._computed[key] = compute()
        return self._computed[key]  # type: ignore[return-value]

    @cached_property
    def words(self) -> list[str]:
        """The words, by the splitter."""
        return SPLITTERS[self.splitter](self.text)

    @cached_property
    def num_words(self) -> int:
        """How many words there are, symbols included."""
        return len(self.words)

    @cached_property
    def non_symbol_words(self) -> list[str]:
        """The words that have a character which is no symbol."""
        return [word for word in self.words if not SYMBOLS.issuperset(word)]

    @cached_property
    def lines(self) -> list[str]:
        """All lines, blank ones included."""
        return self.text.splitlines()

    @cached_property
    def filled_lines(self) -> list[str]:
        """The lines between line feeds that are not blank, as they stand."""
        return [line for line in self.text.split("\n") if line.strip()]

    @cached_property
    def line_runs(self) -> list[str]:
        """The text parted at runs of line feeds; at the ends there can be an empty part."""
        return _LINE_BREAKS.split(self.text)

    @cached_property
    def paragraphs(self) -> list[str]:
        """The stripped text parted where two or more line feeds follow each other."""
        return _PARAGRAPH_BREAK.split(self.text.strip())


def share(part: float, whole: float) -> float:
    """`part / whole`, and 0 where there is no whole: a text without lines has no bad ones."""
    return part / whole if whole else 0.0


def duplicates(items: Sequence[str]) -> tuple[int, int]:
    """How many items occurred before in the sequence, and how many characters they have together.

    Example:
        >>> duplicates(["a", "bb", "bb", "a", "bb"])
        (3, 5)
    """
    seen: set[str] = set()
    num_items = num_chars = 0
    for item in items:
        if item in seen:
            num_items += 1
            num_chars += len(item)
        else:
            seen.add(item)
    return num_items, num_chars


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
    """How many of the eight stop words occur, each counted once, in lower case."""
    return len(STOP_WORDS.intersection(stats.words))


def gopher_duplicate_paragraphs(stats: TextStats) -> float:
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


SHORT_LINE_CHARS = 30

_TERMINAL_MARKS = tuple(TERMINAL_PUNCTUATION)


def line_punctuation(stats: TextStats) -> float:
    """Share of the lines that are not blank which end with a terminal mark."""
    lines = stats.filled_lines
    return share(sum(line.endswith(_TERMINAL_MARKS) for line in lines), len(lines))


def short_lines(stats: TextStats) -> float:
    """Share of the lines that are not blank which have at most 30 characters."""
    lines = stats.filled_lines
    return share(sum(len(line) <= SHORT_LINE_CHARS for line in lines), len(lines))


def fineweb_duplicate_line_chars(stats: TextStats) -> float:
    """Share of the characters, line feeds aside, in lines that occurred before in the text."""
    num_chars = len(stats.text) - stats.text.count("\n")
    return share(duplicates(stats.filled_lines)[1], num_chars)


def newline_ratio(stats: TextStats) -> float:
    """Line feeds a word."""
    return share(stats.text.count("\n"), stats.num_words)


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


def documentation_mean_word_length(stats: TextStats) -> float:
    """Characters a word, all words counted."""
    return share(sum(map(len, stats.words)), stats.num_words)


def _prose(stats: TextStats) -> Prose:
    return stats.once(_prose, lambda: find_prose(stats.filled_lines))


_CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
_END_MARKS = (".", "?", "!", '"', "'")
_ELLIPSIS = "..."
_MAX_WORD_CHARS = 1000
_POLICIES = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)

# A mark ends a sentence where white space or the line's end follows, closing quotes and brackets aside; an
# ideographic mark always does, and a period between lower and upper case. Dots do not, nor does a period
# behind a letter alone, which is an abbreviation's or a name's.
_MARKS = "".join(re.escape(char) for char in sorted(TERMINAL_PUNCTUATION))
_MARK_RUN = re.compile(f"[{_MARKS}]+")
_FREE = re.compile(r"[\"'”’)\]」』）】》〉]*(?=\s|$)")
_LONE_LETTER = re.compile(r"\b[^\W\d_]$")


@dataclass(frozen=True)
class Variant:
    min_words: int
    needs_end_mark: bool


VARIANTS = {"c4": Variant(3, True), "c4-t5": Variant(5, True), "fineweb-c4": Variant(3, False)}


@dataclass(frozen=True)
class FilteredPage:
    """What is left of a text, and what the rules judge in it.

    Attributes:
        text: The lines that stay.
        num_sentences: Sentences in them.
        has_lorem_ipsum: Whether the placeholder text was in a line not yet dropped.
        has_curly_bracket: Whether an opening curly bracket was in a line not yet dropped.
    """

    text: str
    num_sentences: int
    has_lorem_ipsum: bool
    has_curly_bracket: bool


def filter_lines(text: str, variant: Variant) -> FilteredPage:
    """Drops the lines that a variant drops, in the order of checks of the released code."""
    kept: list[str] = []
    num_sentences = 0
    has_lorem_ipsum = has_curly_bracket = False
    for raw in text.splitlines():
        line = raw.strip()
        words = line.split()
        if any(len(word) > _MAX_WORD_CHARS for word in words):
            continue
        line = _CITATION.sub("", line)
        if variant.needs_end_mark and (not line.endswith(_END_MARKS) or line.endswith(_ELLIPSIS)):
            continue
        if len(words) < variant.min_words:
            continue
        lowered = line.lower()
        has_lorem_ipsum |= "lorem ipsum" in lowered
        if "javascript" in lowered:
            continue
        has_curly_bracket |= "{" in line
        if any(policy in lowered for policy in _POLICIES):
            continue
        num_sentences += count_sentences(line)
        kept.append(line)
    return FilteredPage("\n".join(kept).strip(), num_sentences, has_lorem_ipsum, has_curly_bracket)


def count_sentences(line: str) -> int:
    """Sentences in one line: one, and one more wherever no punctuation follows the end of one."""
    ends = {run.end() for run in _MARK_RUN.finditer(line) if _ends_sentence(line, run)}
    count, ended = 0, False
    for place, character in enumerate(line):
        if ended and not _is_space_or_mark(character):
            count, ended = count + 1, False
        ended |= place + 1 in ends
    return count + bool(line.strip())


def _is_space_or_mark(character: str) -> bool:
    category = unicodedata.category(character)
    return character.isspace() or character in TERMINAL_PUNCTUATION or category.startswith("P")


def _ends_sentence(line: str, run: re.Match[str]) -> bool:
    before, after = line[: run.start()], line[run.end() :]
    free = _FREE.match(after) is not None
    if set(run[0]) != {"."}:
        return free or bool(set(run[0]) & set("。．！？｡"))
    glued = before[-1:].islower() and after[:1].isupper()
    return run[0] == "." and (glued or (free and not _LONE_LETTER.search(before)))


def _page(stats: TextStats, variant: str) -> FilteredPage:
    return stats.once(variant, lambda: filter_lines(stats.text, VARIANTS[variant]))


def of_page(variant: str, value: Callable[[FilteredPage], _Value]) -> Callable[[TextStats], _Value]:
    """Measures what a variant of C4's filter leaves of a text."""
    return lambda stats: value(_page(stats, variant))


RULES: dict[str, Callable[[TextStats], float]] = {
    "length.words.min": lambda stats: stats.num_words,
    "length.characters.min": lambda stats: len(stats.text),
    "gopher.words.min": num_words,
    "gopher.words.max": num_words,
    "gopher.mean_word_length.min": mean_word_length,
    "gopher.mean_word_length.max": mean_word_length,
    "gopher.hash_ratio.max": hash_ratio,
    "gopher.ellipsis_ratio.max": ellipsis_ratio,
    "gopher.bullet_lines.max": bullet_lines,
    "gopher.ellipsis_lines.max": ellipsis_lines,
    "gopher.alphabetic_words.min": alphabetic_words,
    "gopher.stop_words.min": stop_words,
    "gopher.duplicate_paragraphs.max": gopher_duplicate_paragraphs,
    "gopher.duplicate_paragraph_chars.max": duplicate_paragraph_chars,
    "gopher.duplicate_lines.max": duplicate_lines,
    "gopher.duplicate_line_chars.max": duplicate_line_chars,
    **{f"gopher.top_{size}_gram.max": top_ngram(size) for size in (2, 3, 4)},
    **{f"gopher.duplicate_{size}_grams.max": duplicate_ngrams(size) for size in (5, 6, 7, 8, 9, 10)},
    **{
        f"{variant}.{rule}": of_page(variant, value)
        for variant in VARIANTS
        for rule, value in (
            ("lorem_ipsum.max", lambda page: page.has_lorem_ipsum),
            ("curly_bracket.max", lambda page: page.has_curly_bracket),
            ("sentences.min", lambda page: page.num_sentences),
        )
    },
    "fineweb.line_punctuation.min": line_punctuation,
    "fineweb.short_lines.max": short_lines,
    "fineweb.duplicate_line_chars.max": fineweb_duplicate_line_chars,
    "fineweb.newline_ratio.max": newline_ratio,
    "documentation.prose_words.min": prose_words,
    "documentation.prose.min": prose_share,
    "documentation.repeated_prose.max": repeated_prose,
    "documentation.mean_word_length.max": documentation_mean_word_length,
}
"""What every rule measures on a text, but for those on languages."""

STEPS: dict[str, Callable[[TextStats], str]] = {
    f"{variant}.lines": of_page(variant, lambda page: page.text) for variant in VARIANTS
}
"""What every step leaves of a text."""
