"""Signatures of forgotten documents in a history: set apart as a batch before all others."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from pipelines.lake.catalog import Catalog
from pipelines.lake.paths import Lake
from pipelines.lake.query import read_arrow
from schemas.signatures import ERASED_SEQUENCE, SIGNATURES

_LARGEST = 2**63 - 1


def erase_signatures(history: Lake, doc_ids: Collection[str], *, near: bool) -> int:
    """Moves the rows of some documents to the batch of forgotten ones; how many there are then.

    There they win against every document with their text: the largest size, no source. Without `near` they
    lose what near-duplicates and addresses are found by. The rows are added first and removed then, so that
    a crash in between leaves them in both batches, which the same call mends.

    Args:
        history: The folder of the history, which this process holds.
        doc_ids: The documents.
        near: Whether near-duplicates are to stay away too.
    """
    listed = ", ".join(f"'{_escaped(doc_id)}'" for doc_id in doc_ids)
    rows = read_arrow(history, SIGNATURES.name, where=f"doc_id IN ({listed})").to_pylist()
    apart = {row["doc_id"] for row in rows if row["sequence"] == ERASED_SEQUENCE}
    new = {row["doc_id"]: _erased(row, near=near) for row in rows if row["doc_id"] not in apart}
    place = history.table(SIGNATURES.name)
    if new:
        schema = pa.schema(DeltaTable(place).schema().to_arrow())
        write_deltalake(
            place,
            pa.Table.from_pylist(list(new.values()), schema=SIGNATURES.arrow_schema()).cast(
                pa.schema([SIGNATURES.arrow_schema().field(name) for name in schema.names])
            ),
            mode="append",
        )
    if any(row["sequence"] != ERASED_SEQUENCE for row in rows):
        DeltaTable(place).delete(f"sequence != {ERASED_SEQUENCE} AND doc_id IN ({listed})")
    return len(apart) + len(new)


def has_signatures(history: Lake) -> bool:
    """Whether a folder has a history."""
    return Catalog(history).exists(SIGNATURES.name)


def _erased(row: dict[str, Any], *, near: bool) -> dict[str, Any]:
    mark: dict[str, Any] = {"sequence": ERASED_SEQUENCE, "num_bytes": _LARGEST, "source": ""}
    return {**row, **mark} if near else {**row, **mark, "keys": [], "address": None}


def _escaped(text: str) -> str:
    return text.replace("'", "''")
