"""What a model says of a row, and what is said of a row that it cannot be asked about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
"""A row by the names of its columns."""


@dataclass(frozen=True)
class Prediction:
    """What a model says of one row.

    Attributes:
        value: The text; of an embedding its numbers.
        score: How sure the model is, 0 to 1; None for verbs that have no such number.
    """

    value: str | list[float]
    score: float | None = None


@dataclass(frozen=True)
class Refusal:
    """Why a row has no prediction.

    Attributes:
        reason: One of a few words, to be counted: 'missing', 'not_text', 'empty', 'too_long', ...
        detail: What is wrong with this row and what helps, for people.
    """

    reason: str
    detail: str


Outcome = Prediction | Refusal
"""What becomes of a row."""


class Predictor(ABC):
    """An opened model that answers rows."""

    @abstractmethod
    def predict(self, rows: Sequence[Row]) -> list[Outcome]:
        """What becomes of each row, in the order of the rows.

        A row that the model cannot be asked about is refused; it never ends the others. What a row gets
        does not depend on the rows beside it, but for the rounding of float32 sums.
        """


def text_of(row: Row, name: str, *, may_be_empty: bool = False) -> str | Refusal:
    """The text of a column, or why there is none that a tokenizer takes.

    Args:
        row: The row.
        name: The column.
        may_be_empty: Whether a text without a visible character is one.
    """
    value = row.get(name)
    if value is None:
        there = f"; it has {', '.join(sorted(map(str, row))) or 'nothing'}" if name not in row else ""
        return Refusal("missing", f"the row has no {name!r}{there}")
    if not isinstance(value, str):
        return Refusal("not_text", f"{name!r} is a {type(value).__name__}, not a text")
    if not may_be_empty and not value.strip():
        return Refusal("empty", f"{name!r} has no visible character")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        return Refusal("not_text", f"{name!r} has half a surrogate pair at character {error.start}")
    return value
