"""Documents by their ids: source, offset in the raw file, where that lies now, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from conf.ingest import IngestConfig
from pipelines.added import every_table
from pipelines.errors import RinglakeError
from pipelines.lake import Catalog, Lake, Ledger
from pipelines.lake.lookup import columns_of, find_everywhere, find_rows

PLACES = ("doc_id", "source", "source_id", "offset", "kind", "url", "num_bytes")
"""Columns of `documents` that tell where one came from."""

REASONS: Mapping[str, tuple[str, ...]] = {
    "rejected": ("rule", "value", "threshold", "comparison"),
    "emptied": ("num_dropped", "words_left"),
    "duplicates": ("kept_doc_id", "kept_source_id", "method", "similarity"),
    "superseded": ("batch", "kept_doc_id"),
    "contaminated": ("eval_set", "item_id", "num_ngrams", "share", "example"),
    "refused": ("reason", "detail", "part"),
    "mixed": ("group", "copies"),
    "corpus": ("split", "cluster_size"),
    "tokens": ("num_tokens",),
}
"""Tables whose rows say what became of a document, and the columns that say it."""

REMOVED = {
    "rejected": "rejected",
    "emptied": "emptied",
    "duplicates": "duplicate",
    "contaminated": "contaminated",
    "refused": "refused",
    "superseded": "superseded",
}
"""What a row in a table makes of a document, in the order of the flow."""

Document = dict[str, Any]


def described(lake: Lake, doc_ids: Collection[str], version: int | None = None) -> dict[str, Document]:
    """Where documents came from, by id: columns of `documents`, `path` and `file` of the raw file.

    A document that `documents` no longer has is told of with what `corpus` says, or with its id alone.

    Args:
        lake: The lake.
        doc_ids: Their ids.
        version: Version of `documents`; None, or one whose files are gone: wherever they are found.
    """
    catalog = Catalog(lake)
    found: dict[str, Document] = {}
    if version is not None and catalog.exists("documents"):
        try:
            rows = find_rows(lake, "documents", "doc_id", doc_ids, PLACES, version)
            found = {row["doc_id"]: row for row in rows}
        except RinglakeError:
            found = {}
    for table in ("documents", "corpus"):
        missing = [doc_id for doc_id in doc_ids if doc_id not in found]
        if missing and catalog.exists(table):
            for item in find_everywhere(lake, table, "doc_id", missing, PLACES):
                found.setdefault(item.row["doc_id"], item.row)
    files = raw_files(lake, {row["source"] for row in found.values()})
    return {
        doc_id: dict.fromkeys(PLACES)
        | {"doc_id": doc_id}
        | found.get(doc_id, {})
        | files.get(str(found.get(doc_id, {}).get("source")), {"path": None, "file": None})
        for doc_id in doc_ids
    }


def raw_files(lake: Lake, sources: Collection[str]) -> dict[str, dict[str, Any]]:
    """For each source `path`, where the file lies now, and `file`, what `sources` says of it.

    `path` is None where no input of the newest ingest has such a file any more; `unchanged` of `file` says
    whether its size is still the one that was read.
    """
    told: dict[str, dict[str, Any]] = {}
    names = ("source", "format", "compression", "num_bytes", "state")
    if Catalog(lake).exists("sources"):
        for item in find_everywhere(lake, "sources", "source", sources, names):
            told.setdefault(item.row["source"], item.row)
    lying = _lying(lake)
    found = {}
    for source in sources:
        path, size = lying.get(source, (None, None))
        row = {name: value for name, value in told.get(source, {}).items() if name != "source"}
        if row and path is not None:
            row["unchanged"] = row["num_bytes"] == size
        found[source] = {"path": path, "file": row or None}
    return found


def fates(lake: Lake, doc_ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """For each document the tables that hold it, in the order of the flow.

    Each is `table`, `versions` and, where the table says what became of it, those columns as `row`.
    """
    found: dict[str, list[dict[str, Any]]] = {doc_id: [] for doc_id in doc_ids}
    tables = every_table()
    for name in Catalog(lake).names():
        # Other packages' tables too; what is no table of a stage is no part of the flow.
        if name not in tables or "doc_id" not in columns_of(lake, name):
            continue
        columns = REASONS.get(name, ())
        seen: dict[tuple[str, Any], dict[str, Any]] = {}
        for item in find_everywhere(lake, name, "doc_id", doc_ids, ("doc_id", *columns)):
            doc_id = item.row["doc_id"]
            entry = seen.get((doc_id, item.row.get("part")))
            if entry is None:
                entry = {"table": name, "versions": []}
                if columns:
                    entry["row"] = {key: value for key, value in item.row.items() if key != "doc_id"}
                seen[doc_id, item.row.get("part")] = entry
                found[doc_id].append(entry)
            entry["versions"] = sorted({*entry["versions"], *item.versions})
    return found


def outcome(tables: Iterable[Mapping[str, Any]], *, seen: bool) -> str:
    """What became of a document in one or two words.

    Args:
        tables: What `fates` says of it.
        seen: Whether a training had it in a batch.
    """
    by_name = {entry["table"]: entry for entry in tables}
    if seen:
        return "trained on"
    if not by_name:
        return "unknown"
    for name, word in REMOVED.items():
        whole = name != "refused" or by_name.get(name, {}).get("row", {}).get("part", 0) == 0
        if name in by_name and whole:
            return word
    if by_name.get("mixed", {}).get("row", {}).get("copies") == 0:
        return "left out by the mixture"
    if by_name.get("corpus", {}).get("row", {}).get("split") == "validation":
        return "validation"
    return "not trained on"


def _lying(lake: Lake) -> dict[str, tuple[str, int]]:
    """Path or URL and size of each file that the newest ingest would read now, by source."""
    from pipelines.ingest.discover import discover

    record = Ledger(lake).latest("ingest")
    if record is None:
        return {}
    try:
        config = IngestConfig.model_validate(json.loads(record.config)["ingest"])
        files = discover(config)
    except (RinglakeError, ValidationError, ValueError, KeyError, OSError):
        # The inputs are gone, or no longer what they were: only the name of the file is known then.
        return {}
    return {
        file.source: (f"{file.folder.rstrip('/')}/{file.path}" if file.folder else file.path, file.num_bytes)
        for file in files
    }
