"""What a page shows of an answer, and how much text it takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from training.inference.predictor import Refusal

MAX_CHARACTERS = 50_000
"""Text of one question: some dozens of windows of an encoder, seconds on a CPU. Longer ones are for files."""


@dataclass(frozen=True)
class Shown:
    """What a page shows of one answer.

    Attributes:
        text: The text.
        shares: Labels with their probabilities, the likeliest first; empty for verbs that have none.
        score: The probability of the text; None for verbs that have none.
        note: Why there is no answer, or none to the end.
    """

    text: str = ""
    shares: tuple[tuple[str, float], ...] = ()
    score: float | None = None
    note: str = ""


def refused(refusal: Refusal, text: str = "") -> Shown:
    """A refusal as the commands tell it, beside the text that was there before."""
    return Shown(text, note=f"{refusal.detail} ({refusal.reason})")


def too_long(texts: Iterable[str], remedy: str) -> Refusal | None:
    """The refusal of a question that is longer than a page takes; None if it is not.

    Args:
        texts: All texts of the question.
        remedy: What helps.
    """
    length = sum(map(len, texts))
    if length <= MAX_CHARACTERS:
        return None
    return Refusal(
        "too_long",
        f"there are {length:,} characters, more than the {MAX_CHARACTERS:,} that this page takes; {remedy}",
    )
