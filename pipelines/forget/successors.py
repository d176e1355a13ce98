"""Who takes the place of a survivor that is forgotten: the best of the duplicates that remain.

It is deduplication itself that puts it there: with such an erasure its key is another one, so that the next
run does it again, and all that follows. Split, decontamination, tokens and sequences of the successor are
then what they would have been without the forgotten document. Versions that trainings are pinned to stay.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from pipelines.lake import Catalog, Lake, Ledger
from pipelines.lake.lookup import find_rows

_COLUMNS = ("doc_id", "source", "source_id", "kept_doc_id", "num_bytes")


def successors(lake: Lake, doc_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """By forgotten survivor of the current `duplicates` its successor: doc_id and source_id.

    The rule is that of the newest deduplication (`dedup.keep`): the longest text or the first source stays,
    of equal ones the smallest doc_id.

    Args:
        lake: The lake.
        doc_ids: All documents that are forgotten; none of them succeeds.
    """
    if not Catalog(lake).exists("duplicates"):
        return {}
    rows = find_rows(lake, "duplicates", "kept_doc_id", doc_ids, _COLUMNS)
    record = Ledger(lake).latest("dedup")
    keep = "longest" if record is None else json.loads(record.config).get("dedup", {}).get("keep", "longest")
    left = [row for row in rows if row["doc_id"] not in doc_ids]
    left.sort(key=lambda row: (-row["num_bytes"] if keep == "longest" else row["source"], row["doc_id"]))
    found: dict[str, dict[str, Any]] = {}
    for row in left:
        found.setdefault(row["kept_doc_id"], {name: row[name] for name in ("doc_id", "source_id")})
    return found
