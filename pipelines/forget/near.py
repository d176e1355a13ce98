"""Near-duplicates of documents, as deduplication found them: their clusters, in any version."""

from __future__ import annotations

from collections.abc import Collection

from pipelines.lake import Catalog, Lake
from pipelines.lake.lookup import find_everywhere

_PAIR = ("doc_id", "kept_doc_id")


def clusters_of(lake: Lake, doc_ids: Collection[str]) -> set[str]:
    """Documents with their survivors, and all that those survivors stand for.

    Survivors are of `duplicates`; a cluster that changed between two versions counts with both.
    """
    found, new = set(doc_ids), set(doc_ids)
    if not Catalog(lake).exists("duplicates"):
        return found
    while new:
        rows = [item.row for key in _PAIR for item in find_everywhere(lake, "duplicates", key, new, _PAIR)]
        new = {row[name] for row in rows for name in _PAIR} - found
        found |= new
    return found
