"""What a quality rule is: a measurement of texts, a limit, and where the limit comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.clean.stats import BatchStats, Values

Comparison = Literal["<", ">"]


@dataclass(frozen=True)
class Rule:
    """One rule. A text fails if `value comparison threshold` holds.

    Attributes:
        name: Paper, what is measured, and which limit it is: 'gopher.mean_word_length.max'.
        measure: The value of each text of a batch, float64; finite for every text, the empty one included.
        comparison: '<' if the value has to be at least the threshold, '>' if at most.
        threshold: The limit, unless the profile or the run sets another.
        meaning: What the value says, in one line, with its unit.
        origin: Where definition and threshold come from.
    """

    name: str
    measure: Callable[[BatchStats], Values]
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

    def fails(self, values: Values, threshold: float) -> npt.NDArray[np.bool_]:
        """Which values break the limit."""
        return values < threshold if self.comparison == "<" else values > threshold


@dataclass(frozen=True)
class Step:
    """A change of the text between rules, such as dropping lines; it never rejects.

    Attributes:
        name: Paper and what is done: 'c4.lines'.
        apply: The changed texts of a batch. Rules further on in the profile measure those.
        meaning: What is done, in one line.
        origin: Where it comes from.
        counts_lines: Whether the lines that it drops are kept among a document's measures, by its name.
    """

    name: str
    apply: Callable[[BatchStats], pa.LargeStringArray]
    meaning: str
    origin: str
    counts_lines: bool = False


def pair(
    name: str,
    measure: Callable[[BatchStats], Values],
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
