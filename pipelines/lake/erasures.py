"""The register of erasures: the table `erasures`, a row a request, replaced once it is done."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from pipelines.errors import EnvironmentProblem
from pipelines.lake.catalog import Catalog
from pipelines.lake.paths import Lake
from pipelines.lake.query import read_arrow
from schemas.erasures import ERASURES

STARTED, DONE = "started", "done"

_JSON = ("request", "documents", "plan", "done", "models", "steps")
"""Columns that are JSON values here and text in the table."""


@dataclass(frozen=True)
class Erasure:
    """One row of the table; see `schemas.erasures`."""

    erasure_id: str
    state: str
    requested_at: datetime
    request: dict[str, Any]
    doc_ids: list[str]
    contents: list[str]
    documents: list[dict[str, Any]]
    plan: dict[str, Any]
    models: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    code_version: str
    reason: str | None = None
    finished_at: datetime | None = None
    done: dict[str, Any] = field(default_factory=dict)
    masked: dict[str, str] = field(default_factory=dict)

    def finished(self, done: dict[str, Any], masked: dict[str, str]) -> Erasure:
        """The same once all of it was done."""
        return replace(self, state=DONE, finished_at=datetime.now(UTC), done=done, masked=masked)


def erasures_of(lake: Lake) -> list[Erasure]:
    """All erasures of a lake, the oldest first; none where nobody asked for one."""
    if not Catalog(lake).exists(ERASURES.name):
        return []
    rows = read_arrow(lake, ERASURES.name).to_pylist(maps_as_pydicts="lossy")
    found = [Erasure(**{**row, **{name: json.loads(row[name]) for name in _JSON}}) for row in rows]
    return sorted(found, key=lambda each: (each.requested_at, each.erasure_id))


def record_erasure(lake: Lake, erasure: Erasure) -> None:
    """Adds an erasure, or replaces the row of that id, in one commit."""
    kept = [each for each in erasures_of(lake) if each.erasure_id != erasure.erasure_id]
    rows = [_row(each) for each in (*kept, erasure)]
    write_deltalake(
        lake.table(ERASURES.name),
        pa.Table.from_pylist(rows, schema=ERASURES.arrow_schema()),
        mode="overwrite",
    )


def refuse_unfinished(lake: Lake) -> None:
    """EnvironmentProblem while an erasure of the lake was begun and not finished.

    Its tables are in between: some files have the document no more, and the log may not say so yet.
    """
    begun = [each for each in erasures_of(lake) if each.state == STARTED]
    if begun:
        raise EnvironmentProblem(
            f"the erasure {begun[0].erasure_id} of the lake {lake.location} was interrupted, so that its "
            f"tables are half rewritten; finish it first: ringlake forget --lake {lake.location}"
        )


def erased_contents(lake: Lake) -> set[str]:
    """What texts must not come into the lake again, see `contents` of the table."""
    return {content for each in erasures_of(lake) for content in each.contents}


def masked_fingerprints(lake: Lake) -> dict[str, str]:
    """By the fingerprint that a version of `sequences` has now the one from before all erasures."""
    found: dict[str, str] = {}
    for each in erasures_of(lake):
        found |= each.masked
    return found


def erasure_of(lake: Lake, name: str, column: str) -> Erasure | None:
    """The erasure that forgot a document, None if there is none.

    Args:
        lake: The lake.
        name: The document.
        column: 'doc_id' or 'source_id', what it is named by.
    """
    found = [each for each in erasures_of(lake) if any(own[column] == name for own in each.documents)]
    return found[-1] if found else None


def succeeded_survivors(lake: Lake) -> list[str]:
    """Forgotten survivors of duplicate clusters whose places others are to take, sorted."""
    return sorted({each for erasure in erasures_of(lake) for each in erasure.plan.get("successors", {})})


def masked_sequences(lake: Lake, version: int, split: str) -> list[int]:
    """Sequences of a version of `sequences` that had a document which was forgotten since, ascending."""
    found: set[int] = set()
    for each in erasures_of(lake):
        for told in each.plan.get("sequences", []):
            if told["version"] == version:
                found.update(told["ids"].get(split, []))
    return sorted(found)


def erased_ids(erasures: Iterable[Erasure]) -> set[str]:
    """Ids of all forgotten documents."""
    return {doc_id for each in erasures for doc_id in each.doc_ids}


def _row(erasure: Erasure) -> dict[str, Any]:
    row = dict(vars(erasure))
    for name in _JSON:
        row[name] = json.dumps(row[name], sort_keys=True, default=str)
    row["masked"] = list(erasure.masked.items())
    return row
