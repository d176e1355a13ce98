"""Sequences and the documents in them, both ways, at a pinned version."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from pipelines.lake import Lake, read_arrow
from pipelines.lake.lookup import find_rows

_MOST_IN_QUERY = 2000
"""Ids of a condition: a longer one takes the engine of queries long to read."""


def documents_in(lake: Lake, version: int, sequence_ids: Collection[int]) -> list[dict[str, Any]]:
    """Training sequences with their `segments`, in the order of the ids given.

    Only files and row groups that may have one are read: they are sorted by sequence_id.

    Raises:
        InputError: The version cannot be read any more.
    """
    ids = list(sequence_ids)
    rows: dict[int, dict[str, Any]] = {}
    for first in range(0, len(ids), _MOST_IN_QUERY):
        listed = ", ".join(str(int(number)) for number in ids[first : first + _MOST_IN_QUERY])
        found = read_arrow(
            lake,
            "sequences",
            ["sequence_id", "num_tokens", "segments"],
            f"split = 'train' AND sequence_id IN ({listed})",
            version,
        )
        rows |= {row["sequence_id"]: row for row in found.to_pylist()}
    return [rows[number] for number in ids if number in rows]


def sequences_with(
    lake: Lake, version: int, doc_ids: Collection[str], splits: Sequence[str] = ("train", "validation")
) -> dict[str, list[dict[str, Any]]]:
    """For each document the parts of sequences that hold it, by split and sequence_id.

    Each is `split`, `sequence_id`, `start`, `end` and `doc_start`, see the table `sequences`.

    Raises:
        InputError: The version cannot be read any more.
    """
    found: dict[str, list[dict[str, Any]]] = {doc_id: [] for doc_id in doc_ids}
    for split in splits:
        rows = find_rows(
            lake,
            "sequences",
            "segments.doc_id",
            doc_ids,
            ("sequence_id", "segments"),
            version,
            {"split": split},
        )
        for row in sorted(rows, key=lambda row: int(row["sequence_id"])):
            for segment in row["segments"]:
                if segment["doc_id"] in found:
                    place = {key: segment[key] for key in ("start", "end", "doc_start")}
                    found[segment["doc_id"]].append(
                        {"split": split, "sequence_id": row["sequence_id"], **place}
                    )
    return found
