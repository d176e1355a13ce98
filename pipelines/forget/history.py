"""Forgotten documents in a history of deduplication: a later batch does not bring their texts back."""

from __future__ import annotations

from collections.abc import Collection

from pipelines.lake import Lake
from pipelines.lake.signatures import erase_signatures, has_signatures


def mark(history: Lake, doc_ids: Collection[str], *, near: bool) -> int:
    """Marks documents in a history, and says how many it has; it holds hashes of texts, never texts.

    Args:
        history: Its folder.
        doc_ids: The documents.
        near: Whether near-duplicates of them are to stay away too.

    Raises:
        FileNotFoundError: There is no history.
        EnvironmentProblem: Another process holds it.
    """
    if not has_signatures(history):
        raise FileNotFoundError(history.location)
    with history.locked():
        return erase_signatures(history, doc_ids, near=near)
