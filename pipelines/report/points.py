"""The lines of a metrics file as numbers and curves; what is no finite number is not there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pipelines.report.facts import Curve

Point = dict[str, Any]


def finite(value: Any, kind: type = float) -> Any:
    """A finite number as `kind`, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return kind(value)


def in_order(points: Sequence[Point]) -> list[Point]:
    """The points that have a step, by step."""
    known = [point for point in points if finite(point["step"]) is not None]
    return sorted(known, key=lambda point: float(point["step"]))


def curve(points: Sequence[Point], key: str) -> Curve:
    """One value over the steps that have it, in their order."""
    found = [
        (int(point["step"]), value)
        for point in in_order(points)
        if (value := finite(point.get(key))) is not None
    ]
    return Curve(tuple(step for step, _ in found), tuple(value for _, value in found))
