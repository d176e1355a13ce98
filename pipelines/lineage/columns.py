"""Columns that a stage passes on as it found them: lineage that is exact, and tested against the tables."""

from __future__ import annotations

from collections.abc import Mapping

UNCHANGED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "clean": {"documents": ("doc_id", "source_id")},
    "rejected": {"documents": ("doc_id", "source_id")},
    "corpus": {"clean": ("doc_id", "source_id", "text")},
    "duplicates": {"clean": ("doc_id", "source_id")},
    "tokens": {"corpus": ("doc_id", "split")},
}
"""Of a table that a stage writes, by the table that it read: columns with the values of the same document."""
