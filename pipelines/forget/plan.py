"""All that an erasure changes, found before anything is: what a dry run shows, and a real one carries out."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.errors import InputError, RinglakeError
from pipelines.forget.copies import Needles, excerpts_with, files_with, tables_with
from pipelines.forget.mask import DOCUMENTS
from pipelines.forget.successors import successors
from pipelines.lake import Catalog, Lake, Ledger
from pipelines.lake.catalog import parse_metadata
from pipelines.lake.correct_log import logged_files, refuse_unknown_log
from pipelines.lake.lookup import columns_of
from pipelines.lake.rewrite import data_files, read_rows, rows_with
from pipelines.run.snapshots import take_snapshot
from pipelines.trace.sequences import sequences_with
from schemas.sources import ERASED
from training.data.layout import read_layout
from training.errors import TrainingError

SEQUENCES = "sequences"

NO_DOCUMENTS = ("runs", "erasures", "sources")
"""Tables that name documents in no column that rows are removed by."""


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        tables: By table and file how many rows have one of the documents.
        orphans: By table files of no version that have one: what a writer that was killed left.
        sequences: Versions of `sequences` that have one: version, `before`, the fingerprint that trainings
            know, and the sequences by split.
        sources: By file and source how many records are counted as forgotten from then on.
        excerpts: By table and file rows whose excerpt is emptied.
        removed: Files of the lake outside of its tables that are deleted.
        named: Files and tables that have a passage or an id and are left.
        histories: Histories of deduplication in which the documents are marked.
        successors: By survivor that goes the one that takes its place once deduplication runs again.
    """

    tables: dict[str, dict[str, int]] = field(default_factory=dict)
    orphans: dict[str, list[str]] = field(default_factory=dict)
    sequences: list[dict[str, Any]] = field(default_factory=list)
    sources: dict[str, dict[str, int]] = field(default_factory=dict)
    excerpts: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    histories: list[str] = field(default_factory=list)
    successors: dict[str, dict[str, Any]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """It as JSON values, of which `Plan(**values)` makes it again."""
        return asdict(self)


def make_plan(lake: Lake, doc_ids: Collection[str], needles: Needles) -> Plan:
    """Looks through every file of every table, and what lies beside the tables.

    Args:
        lake: The lake.
        doc_ids: The documents.
        needles: What their texts are known by.

    Raises:
        InputError: A table cannot be rewritten: deletion vectors, or a log in a form that is not known.
    """
    tables, orphans = {}, {}
    catalog = Catalog(lake)
    for name in catalog.names():
        if name in NO_DOCUMENTS:
            continue
        key = DOCUMENTS if name == SEQUENCES else "doc_id"
        if key == "doc_id" and "doc_id" not in columns_of(lake, name):
            continue
        found, lost = _files_with(lake, name, key, doc_ids)
        if found:
            refuse_unknown_log(lake, name, found)
            tables[name] = found
        if lost:
            orphans[name] = lost
    removed, named = files_with(lake, needles)
    excerpts = excerpts_with(lake, needles)
    left = tables_with(lake, needles, ("runs", *excerpts, *NO_DOCUMENTS))
    indexes = (
        [path for path in lake.root.all_files() if path.startswith("indexes/")] if "tokens" in tables else []
    )
    return Plan(
        tables=tables,
        orphans=orphans,
        sequences=_sequences(lake, doc_ids) if SEQUENCES in tables else [],
        sources=_sources(lake, tables.get("documents", {}), doc_ids),
        excerpts=excerpts,
        removed=sorted({*removed, *indexes}),
        named=[*named, *(f"tables/{name}" for name in left)],
        histories=_histories(lake),
        successors=successors(lake, doc_ids),
    )


def _files_with(
    lake: Lake, name: str, key: str, doc_ids: Collection[str]
) -> tuple[dict[str, int], list[str]]:
    """Files of a table that have one of the documents: of its versions with their rows, and of none."""
    folder, logged = lake.tables.child(name), logged_files(lake, name)
    found, lost = {}, []
    for path in data_files(lake, name):
        try:
            rows = rows_with(folder, path, key, doc_ids)
        except (RinglakeError, KeyError):
            if path in logged:
                raise
            # Cut off while it was written: nobody can tell what is in it, and no version has it.
            lost.append(path)
            continue
        if rows and path in logged:
            found[path] = rows
        elif rows:
            lost.append(path)
    return found, lost


def _sequences(lake: Lake, doc_ids: Collection[str]) -> list[dict[str, Any]]:
    """Every version that packing wrote, that can still be read and that has one of the documents."""
    found = []
    for version, _, noted in sorted(Catalog(lake).commits(SEQUENCES), key=lambda commit: commit[0]):
        if noted.get("stage") != "pack":
            continue
        try:
            before = read_layout(take_snapshot(lake, "train", version)).fingerprint
            parts = sequences_with(lake, version, doc_ids)
        except (InputError, TrainingError):
            # Its files are gone: nothing reads it any more.
            continue
        ids: dict[str, set[int]] = defaultdict(set)
        for places in parts.values():
            for place in places:
                ids[place["split"]].add(place["sequence_id"])
        if ids:
            listed = {split: sorted(numbers) for split, numbers in ids.items()}
            found.append({"version": version, "before": before, "ids": listed})
    return found


def _sources(lake: Lake, files: Mapping[str, int], doc_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """By file of `sources` and source the number of forgotten records, those of earlier erasures too.

    A run of ingest writes both tables: rows of `sources` are of the same run as the documents. Runs of equal
    keys read the same records.
    """
    if not files or not Catalog(lake).exists("sources"):
        return {}
    documents = lake.tables.child("documents")
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for path, (commit, key) in _runs(lake, "documents").items():
        if path in files:
            rows = read_rows(documents, path, "doc_id", doc_ids, ("source",))
            counts[key][commit].update(row["source"] for row in rows)
    found: dict[str, dict[str, int]] = {}
    folder = lake.tables.child("sources")
    there = set(data_files(lake, "sources"))
    for path, (_, key) in _runs(lake, "sources").items():
        gone: Counter[str] = Counter()
        for of_commit in counts.get(key, {}).values():
            gone |= of_commit
        if not gone or path not in there:
            continue
        rows = read_rows(folder, path, "source", gone, ("source", "skipped"))
        targets = {
            row["source"]: dict(row["skipped"] or []).get(ERASED, 0) + gone[row["source"]] for row in rows
        }
        if targets:
            found[path] = targets
    return found


def _runs(lake: Lake, name: str) -> dict[str, tuple[str, str]]:
    """By file of a table its commit and the key of the run, after an OPTIMIZE that of the run before."""
    files = logged_files(lake, name)
    keys: dict[str, str] = {}
    last = ""
    for commit, noted in sorted({info.get("commit", ""): info for info in files.values()}.items()):
        last = str(parse_metadata(noted.get("userMetadata")).get("run_key") or last)
        keys[commit] = last
    return {path: (info.get("commit", ""), keys[info.get("commit", "")]) for path, info in files.items()}


def _histories(lake: Lake) -> list[str]:
    """Every history that a run of deduplication in this lake was added to."""
    found: dict[str, None] = {}
    for record in Ledger(lake).records():
        if record.stage == "dedup":
            place = (json.loads(record.config).get("dedup") or {}).get("history")
            if isinstance(place, str) and place:
                found[place] = None
    return list(found)
