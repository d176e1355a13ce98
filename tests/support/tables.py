"""Reading tables in tests through their logs, and one hash of a table's content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pipelines.lake import Lake, read_arrow
from pipelines.stages import OPTIONAL_TABLES
from schemas import TABLES

OF_BATCHES = frozenset({"batches", "withdrawn", "incoming", "packed"})
"""Tables of lakes that daily batches are added to."""

DATA_TABLES = tuple(
    name for name in TABLES if name not in {"runs", "erasures"} | OPTIONAL_TABLES | OF_BATCHES
)
"""The tables of every lake whose rows depend on input and configuration alone."""


def rows(lake: str | Path, name: str, version: int | None = None) -> list[dict[str, Any]]:
    """All rows of a table."""
    table = read_arrow(Lake.at(lake), name, version=version)
    found: list[dict[str, Any]] = table.to_pylist(maps_as_pydicts="strict")
    return found


def content_hash(lake: str | Path, name: str) -> str:
    """Hash of the set of rows: equal for equal rows in any order, file layout or version."""
    lines = sorted(json.dumps(row, sort_keys=True, default=str) for row in rows(lake, name))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
