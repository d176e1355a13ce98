"""Carries a plan out. Each step, done again, comes to the same: after a crash all are done again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.forget.copies import blanked
from pipelines.forget.history import mark
from pipelines.forget.mask import DOCUMENTS, Form, masked
from pipelines.forget.plan import SEQUENCES, Plan
from pipelines.lake import Catalog, Lake
from pipelines.lake.catalog import parse_metadata
from pipelines.lake.correct_log import correct_log, logged_files
from pipelines.lake.erasures import Erasure
from pipelines.lake.rewrite import delete, having, leftovers, rewrite, rows_with
from pipelines.run.snapshots import take_snapshot
from ringlake.base.storage import Folder
from schemas.sources import ERASED
from training.data.layout import read_layout

Say = Callable[[str], None]


def carry_out(lake: Lake, erasure: Erasure, say: Say) -> tuple[dict[str, Any], dict[str, str]]:
    """Does all that an erasure's plan says.

    Args:
        lake: The lake, which this process holds.
        erasure: The erasure, which is recorded as started.
        say: Takes a line for each table.

    Returns:
        What was done, JSON values; and the new fingerprint of each changed version of `sequences` with the
        one that trainings know it by.
    """
    plan, gone = Plan(**erasure.plan), set(erasure.doc_ids)
    for name in Catalog(lake).names():
        for path in leftovers(lake, name):
            delete(lake.tables.child(name), path)
    for path in plan.removed:
        delete(lake.root, path)
    _remove_empty(lake.root.child("indexes"))
    for name, files in plan.excerpts.items():
        for path, rows in files.items():
            _blank(lake.tables.child(name), path, rows)
        correct_log(lake, name, files)
    if plan.sources:
        for path, targets in plan.sources.items():
            _count(lake.tables.child("sources"), path, targets)
        correct_log(lake, "sources", plan.sources)
    for name in sorted({*plan.tables, *plan.orphans}):
        counts = plan.tables.get(name, {})
        say(f"forget: {name}: {sum(counts.values()):,} rows in {len(counts):,} files")
        _take_out(lake, name, counts, gone)
        for path in plan.orphans.get(name, []):
            delete(lake.tables.child(name), path)
        correct_log(lake, name, [*counts, *plan.orphans.get(name, [])])
    marked, lost = _mark(plan.histories, erasure)
    done = {
        "tables": {
            name: {"files": len(files), "rows": sum(files.values())} for name, files in plan.tables.items()
        },
        "sequences": [
            {"version": each["version"], "sequences": {split: len(ids) for split, ids in each["ids"].items()}}
            for each in plan.sequences
        ],
        "files_of_no_version": sum(map(len, plan.orphans.values())),
        "removed": plan.removed,
        "excerpts": {name: sum(map(len, files.values())) for name, files in plan.excerpts.items()},
        "left": plan.named,
        "histories": marked,
        "histories_not_reached": lost,
        "successors": plan.successors,
    }
    return done, _fingerprints(lake, plan)


def _take_out(lake: Lake, name: str, files: Collection[str], gone: Collection[str]) -> None:
    """Rewrites the files of a table without some documents; those that have none any more are left."""
    folder = lake.tables.child(name)
    wanted = pa.array(list(gone), pa.string())
    forms = _forms(lake, files) if name == SEQUENCES else {}
    key = DOCUMENTS if name == SEQUENCES else "doc_id"
    for path in files:
        if not rows_with(folder, path, key, gone):
            continue
        if name == SEQUENCES:
            rewrite(folder, path, partial(masked, doc_ids=gone, form=forms[path]))
        else:
            rewrite(folder, path, lambda group: group.filter(pc.invert(having(group, "doc_id", wanted))))


def _forms(lake: Lake, files: Collection[str]) -> dict[str, Form]:
    """How each file of `sequences` stores tokens, as packing noted with its commit."""
    newest = Catalog(lake).info(SEQUENCES).metadata
    logged = logged_files(lake, SEQUENCES)
    found = {}
    for path in files:
        noted = parse_metadata(logged[path].get("userMetadata"))
        made = noted if "eod_id" in noted else newest
        found[path] = Form(int(made["token_bytes"]), int(made["eod_id"]))
    return found


def _blank(folder: Folder, path: str, rows: Sequence[int]) -> None:
    first, hit = 0, set(rows)

    def change(group: pa.Table) -> pa.Table:
        nonlocal first
        changed = blanked(group, hit, first)
        first += group.num_rows
        return changed

    rewrite(folder, path, change)


def _count(folder: Folder, path: str, targets: Mapping[str, int]) -> None:
    """Sets the number of forgotten records of some sources: they are neither kept nor records any more."""

    def change(group: pa.Table) -> pa.Table:
        rows = group.to_pylist()
        for row in rows:
            if row["source"] in targets:
                skipped = dict(row["skipped"] or [])
                more = targets[row["source"]] - skipped.get(ERASED, 0)
                row["kept"] -= more
                row["records"] -= more
                row["skipped"] = list({**skipped, ERASED: targets[row["source"]]}.items())
        return pa.Table.from_pylist(rows, schema=group.schema)

    rewrite(folder, path, change)


def _mark(histories: Sequence[str], erasure: Erasure) -> tuple[dict[str, int], list[str]]:
    """Marks the documents in each history; what each had of them, and the histories that are not there."""
    marked, lost = {}, []
    for location in histories:
        try:
            marked[location] = mark(
                Lake.at(location), erasure.doc_ids, near=bool(erasure.request.get("near"))
            )
        except FileNotFoundError:
            lost.append(location)
    return marked, lost


def _fingerprints(lake: Lake, plan: Plan) -> dict[str, str]:
    found = {}
    for each in plan.sequences:
        # Not as recorded: what the files are now.
        snapshot = replace(take_snapshot(lake, "train", each["version"]), masked={})
        found[read_layout(snapshot).fingerprint] = each["before"]
    return found


def _remove_empty(folder: Folder) -> None:
    """Removes a folder of which no file is left."""
    if folder.is_folder() and not folder.all_files():
        folder.remove()
