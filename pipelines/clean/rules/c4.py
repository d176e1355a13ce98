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

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.clean.c4_lines import Pages, choose_lines, join_lines
from pipelines.clean.rules.rule import Rule, Step
from pipelines.clean.stats import BatchStats, Values
from pipelines.text.code_points import Index

_PAPER = "C4, Raffel et al. 2020, JMLR 21(140), section 2.2"
_CODE = "C4's released code, c4_utils.py of TensorFlow Datasets"
_FINEWEB = "FineWeb, Penedo et al. 2024, arXiv 2406.17557, 3.4, and its released pipeline"


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


VARIANTS: tuple[Variant, ...] = (
    Variant("c4", 3, 5, True, _PAPER),
    Variant("c4-t5", 5, 3, True, _CODE),
    Variant("fineweb-c4", 3, 5, False, _FINEWEB),
)


def _rules(variant: Variant) -> tuple[Rule, ...]:
    def measuring(value: Callable[[Pages], Index]) -> Callable[[BatchStats], Values]:
        return lambda stats: value(_pages(stats, variant)).astype(float)

    return (
        Rule(
            f"{variant.name}.lorem_ipsum.max",
            measuring(lambda pages: pages.has_lorem_ipsum),
            ">",
            0,
            'Whether a line that stays has the phrase "lorem ipsum" (1 or 0).',
            variant.origin,
        ),
        Rule(
            f"{variant.name}.curly_bracket.max",
            measuring(lambda pages: pages.has_curly_bracket),
            ">",
            0,
            "Whether a line that stays has an opening curly bracket (1 or 0).",
            variant.origin,
        ),
        Rule(
            f"{variant.name}.sentences.min",
            measuring(lambda pages: pages.num_sentences),
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
        lambda stats: join_lines(stats.page_lines, _pages(stats, variant).kept),
        f"Drops lines of fewer than {variant.min_words} words{marks}, with a word of more than 1,000 "
        "characters, or about JavaScript, cookies and terms of use; drops citation marks.",
        variant.origin,
    )


def _pages(stats: BatchStats, variant: Variant) -> Pages:
    return stats.once(
        variant, lambda: choose_lines(stats.page_lines, variant.min_words, variant.needs_end_mark)
    )


RULES: tuple[Rule, ...] = tuple(rule for variant in VARIANTS for rule in _rules(variant))
STEPS: tuple[Step, ...] = tuple(map(_step, VARIANTS))
