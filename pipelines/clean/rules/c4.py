"""C4's heuristics: Raffel et al. 2020 (JMLR 21, arXiv 1910.10683), section 2.2.

C4 drops lines, then judges what is left, so a variant is three rules and a step: the rules look at the
lines that would stay, the step keeps only those. Three variants:

- `c4`, as the paper's final version has it: lines of fewer than 3 words and pages of fewer than 5
  sentences go.
- `c4-t5`, as its first version and the released code (c4_utils.py of TensorFlow Datasets) have it: 5 words
  and 3 sentences.
- `fineweb-c4`, as the FineWeb release uses it: like `c4`, but lines need no punctuation at their end.

Order within a line, and the checks for long words, citations and policies, follow that released code. Its
list of bad words is not part of it: such lists are the user's to choose.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.clean.punctuation import TERMINAL_PUNCTUATION
from pipelines.clean.rules.rule import Rule, Step
from pipelines.clean.stats import TextStats

_PAPER = "C4, Raffel et al. 2020, JMLR 21(140), section 2.2"
_CODE = "C4's released code, c4_utils.py of TensorFlow Datasets"
_FINEWEB = "FineWeb, Penedo et al. 2024, arXiv 2406.17557, 3.4, and its released pipeline"

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

# A mark ends a sentence where white space or the line's end follows, closing quotes and brackets aside.
# A letter alone before a period is an abbreviation's or a name's: "e.g. this", "J. Doe".
_MARKS = "".join(re.escape(char) for char in sorted(TERMINAL_PUNCTUATION))
_SENTENCE_END = re.compile(rf"(?<!\b[^\W\d_])[{_MARKS}]+[\"'”’)\]]*(?=\s|$)")


@dataclass(frozen=True)
class Variant:
    """Which lines stay.

    Attributes:
        name: Prefix of its rules and its step.
        min_words: Fewest words of a line, by white space.
        min_sentences: Fewest sentences of a page's lines.
        needs_end_mark: Whether a line must end with a terminal mark and not with an ellipsis.
        origin: Where the numbers come from.
    """

    name: str
    min_words: int
    min_sentences: int
    needs_end_mark: bool
    origin: str


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


VARIANTS: tuple[Variant, ...] = (
    Variant("c4", 3, 5, True, _PAPER),
    Variant("c4-t5", 5, 3, True, _CODE),
    Variant("fineweb-c4", 3, 5, False, _FINEWEB),
)


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
    """Sentences in one line: what ends with a terminal mark, and what is left behind the last of them."""
    end = 0
    count = 0
    for match in _SENTENCE_END.finditer(line):
        count += 1
        end = match.end()
    return count + bool(line[end:].strip())


def _rules(variant: Variant) -> tuple[Rule, ...]:
    def measuring(value: Callable[[FilteredPage], float]) -> Callable[[TextStats], float]:
        return lambda stats: value(_page(stats, variant))

    return (
        Rule(
            f"{variant.name}.lorem_ipsum.max",
            measuring(lambda page: page.has_lorem_ipsum),
            ">",
            0,
            'Whether a line that stays has the phrase "lorem ipsum" (1 or 0).',
            variant.origin,
        ),
        Rule(
            f"{variant.name}.curly_bracket.max",
            measuring(lambda page: page.has_curly_bracket),
            ">",
            0,
            "Whether a line that stays has an opening curly bracket (1 or 0).",
            variant.origin,
        ),
        Rule(
            f"{variant.name}.sentences.min",
            measuring(lambda page: page.num_sentences),
            "<",
            variant.min_sentences,
            f"Sentences in the lines that stay ({variant.min_words} words or more).",
            variant.origin,
        ),
    )


def _step(variant: Variant) -> Step:
    marks = ", without a terminal mark at their end" if variant.needs_end_mark else ""
    return Step(
        f"{variant.name}.lines",
        lambda stats: _page(stats, variant).text,
        f"Drops lines of fewer than {variant.min_words} words{marks}, with a word of more than 1,000 "
        "characters, or about JavaScript, cookies and terms of use; drops citation marks.",
        variant.origin,
    )


def _page(stats: TextStats, variant: Variant) -> FilteredPage:
    return stats.once(variant, lambda: filter_lines(stats.text, variant))


RULES: tuple[Rule, ...] = tuple(rule for variant in VARIANTS for rule in _rules(variant))
STEPS: tuple[Step, ...] = tuple(map(_step, VARIANTS))
