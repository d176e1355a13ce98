"""Scores as evaluation.json has them: what is no number in JSON is null."""

from __future__ import annotations

import math
from typing import Any


def ratio(part: float, whole: float) -> float | None:
    """A mean or a share; None where there is nothing to divide by, or the result is no number."""
    return finite(part / whole) if whole else None


def finite(value: float | None) -> float | None:
    """A figure as evaluation.json has it: JSON knows neither NaN nor infinity."""
    return value if value is not None and math.isfinite(value) else None


def perplexity(loss: float | None) -> float | None:
    """E to the loss; None where a float cannot hold it."""
    try:
        return None if loss is None else finite(math.exp(loss))
    except OverflowError:
        return None


def described(result: dict[str, Any]) -> str:
    """Bits per byte, or losses where the targets stand for no text, or that there is no target."""
    if not result["targets"]:
        return f"nothing to score: the {result['sequences']} validation sequences have no target"
    key, name = ("bits_per_byte", "bits per byte") if result["bytes"] else ("loss", "nats per target")
    scores = ", ".join(
        f"{who} {'no number' if (value := result[who][key]) is None else f'{value:.3f}'}"
        for who in ("model", "before", "unigram", "bigram")
        if who in result
    )
    gain = result["below_bigram"]
    return f"{name}: {scores}" + ("" if gain is None else f"; {gain:.1%} below the bigram")
