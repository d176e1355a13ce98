"""What became of a document: tables, sequences, steps and models that had it, and why it left if it did."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake
from pipelines.lake.lookup import find_everywhere
from pipelines.trace.documents import described, fates, outcome
from pipelines.trace.sequences import sequences_with
from pipelines.trace.trainings import Training, trainings_of


def ids_of(lake: Lake, document: str, *, by_source_id: bool) -> list[str]:
    """The ids of the documents that a name means, in every version that is kept; empty: there is none.

    Args:
        lake: The lake.
        document: A doc_id or, as told, a source_id, which several documents may have.
        by_source_id: Whether it is a source_id.
    """
    if not by_source_id:
        return [document]
    found: dict[str, None] = {}
    catalog = Catalog(lake)
    for table in ("documents", "corpus"):
        if catalog.exists(table):
            rows = find_everywhere(lake, table, "source_id", [document], ("doc_id", "source", "offset"))
            for item in sorted(rows, key=lambda item: (item.row["source"], item.row.get("offset") or 0)):
                found[item.row["doc_id"]] = None
    return list(found)


def trace_documents(lake: Lake, doc_ids: Sequence[str], only: Training | None = None) -> dict[str, Any]:
    """Where documents are, and which trainings had them in which steps, all epochs that were done.

    A validation sequence is in no step: it is told of among the sequences of its document.

    Args:
        lake: The lake.
        doc_ids: Their ids.
        only: The training that is asked about; None: every one.

    Returns:
        `documents`, `steps` and `models`, JSON values; `models` are those that had one of them.
    """
    trainings = trainings_of(lake) if only is None else [only]
    tables, known = fates(lake, doc_ids), described(lake, doc_ids)
    steps, problems = steps_with(lake, trainings, doc_ids)
    parts = _parts(lake, trainings, doc_ids)
    documents = []
    for doc_id in doc_ids:
        own = [step for step in steps if step["doc_id"] == doc_id]
        documents.append(
            known[doc_id]
            | {
                "outcome": outcome(tables[doc_id], seen=bool(own)),
                "tables": tables[doc_id],
                "sequences": parts[doc_id],
            }
        )
    seen = {step["model"] for step in steps}
    found = {
        "documents": documents,
        "steps": steps,
        "models": [each.described() for each in trainings if each.key in seen],
    }
    return found | ({"problems": problems} if problems else {})


def steps_with(
    lake: Lake, trainings: Sequence[Training], doc_ids: Collection[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The steps of trainings whose global batch had one of some documents of a lake; and what cannot be told.

    Each is `model`, `step` (the first is 1), `epoch`, `doc_id` and `sequence_id`.
    """
    steps: list[dict[str, Any]] = []
    problems: list[str] = []
    read: dict[int, dict[str, list[dict[str, Any]]]] = {}
    for training in trainings:
        try:
            plan = training.plan
            for source in training.sources:
                # Ids derive from source, offset and text, so that a lake that is mixed in may have it too.
                if source.lake.location == lake.location and source.version in read:
                    parts = read[source.version]
                else:
                    parts = sequences_with(source.lake, source.version, doc_ids, ("train",))
                if source.lake.location == lake.location:
                    read[source.version] = parts
                steps += [
                    {
                        "model": training.key,
                        "step": step + 1,
                        "epoch": plan.position(step)[0],
                        "doc_id": doc_id,
                        "sequence_id": sequence_id,
                    }
                    | ({} if len(training.sources) == 1 else {"lake": source.lake.location})
                    for doc_id in doc_ids
                    for sequence_id in dict.fromkeys(part["sequence_id"] for part in parts[doc_id])
                    if sequence_id >= source.first_id
                    for step in plan.steps_of(sequence_id - source.first_id, training.steps, source.number)
                ]
        except InputError as error:
            problems.append(f"what the training {training.key} saw cannot be told: {error}")
    return sorted(steps, key=lambda item: (item["model"], item["step"], item["sequence_id"])), problems


def _parts(
    lake: Lake, trainings: Sequence[Training], doc_ids: Collection[str]
) -> dict[str, list[dict[str, Any]]]:
    """Parts of sequences that hold each document, by version: those trained on and the current one."""
    versions = {
        source.version
        for training in trainings
        for source in training.sources
        if source.lake.location == lake.location
    }
    catalog = Catalog(lake)
    if catalog.exists("sequences"):
        versions.add(catalog.info("sequences").version)
    found: dict[str, list[dict[str, Any]]] = {doc_id: [] for doc_id in doc_ids}
    for version in sorted(versions):
        try:
            parts = sequences_with(lake, version, doc_ids)
        except InputError:
            continue
        for doc_id in doc_ids:
            found[doc_id] += [{"version": version, **part} for part in parts[doc_id]]
    return found
