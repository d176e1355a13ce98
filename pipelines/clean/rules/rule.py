"""What a quality rule is: a measurement of a text, a limit, and where the limit comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pipelines.clean.stats import TextStats

Comparison = Literal["<", ">"]


@dataclass(frozen=True)
class Rule:
    """One rule. A text fails if `measure(text) comparison threshold` holds.

    Attributes:
        name: Paper, what is measured, and which limit it is: 'gopher.mean_word_length.max'.
        measure: The value of a text; finite for every text, the empty one included.
        comparison: '<' if the value has to be at least the threshold, '>' if at most.
        threshold: The limit, unless the profile or the run sets another.
        meaning: What the value says, in one line, with its unit.
        origin: Where definition and threshold come from.
    """

    name: str
    measure: Callable[[TextStats], float]
    comparison: Comparison
    threshold: float
    meaning: str
    origin: str

    def __post_init__(self) -> None:
        suffix = {"<": ".min", ">": ".max"}[self.comparison]
        if not self.name.endswith(suffix):
            raise ValueError(
                f"rule {self.name!r} rejects by {self.comparison!r}, so its name ends in {suffix!r}"
            )

    def fails(self, value: float, threshold: float) -> bool:
        """Whether a value breaks the limit."""
        return value < threshold if self.comparison == "<" else value > threshold


@dataclass(frozen=True)
class Step:
    """A change of the text between rules, such as dropping lines; it never rejects.

    Attributes:
        name: Paper and what is done: 'c4.lines'.
        apply: The changed text. Rules further on in the profile measure that one.
        meaning: What is done, in one line.
        origin: Where it comes from.
        counts_lines: Whether the lines that it drops are kept among a document's measures, by its name.
    """

    name: str
    apply: Callable[[TextStats], str]
    meaning: str
    origin: str
    counts_lines: bool = False


def pair(
    name: str,
    measure: Callable[[TextStats], float],
    minimum: float,
    maximum: float,
    meaning: str,
    origin: str,
) -> tuple[Rule, Rule]:
    """The two rules that keep one value in a range."""
    return (
        Rule(f"{name}.min", measure, "<", minimum, meaning, origin),
        Rule(f"{name}.max", measure, ">", maximum, meaning, origin),
    )
