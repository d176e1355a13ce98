"""The law of where the time of a step went, for any log."""

from __future__ import annotations

from typing import Any

import pytest


def check_times(lines: list[dict[str, Any]]) -> None:
    """The parts of a step are measured apart: none twice, and almost nothing is in none of them."""
    parts = {
        name: [line[f"{name}_seconds"] for line in lines] for name in ("data", "compute", "communication")
    }
    assert min(min(values) for values in parts.values()) >= 0
    sums = [sum(values) for values in zip(*parts.values(), strict=True)]
    wholes = [line["seconds"] for line in lines]
    assert all(part <= whole * (1 + 1e-6) for part, whole in zip(sums, wholes, strict=True))
    assert sum(sums) == pytest.approx(sum(wholes), rel=0.1)
