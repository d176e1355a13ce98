"""The report of an erasure for a data-protection officer: ids, places, counts and models, and no text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pipelines.console.console import printable
from pipelines.lake import Lake
from pipelines.lake.erasures import Erasure
from pipelines.report.pages import page_environment

FOLDER = "erasures"
"""Folder of a lake with the reports, a file an erasure."""

_TEMPLATE = "report.html.jinja"

_WEIGHTS = (
    "The weights of these models were not changed: what a model has learned from a document cannot be taken "
    "out of it. A training that goes on reads its sequences without the documents from the erasure on. A "
    "model that must not have seen them has to be trained again."
)

_BESIDE = (
    "Not looked into: the input files, which are not the lake's (a forgotten record in them is left out when "
    "they are read again); backups and copies of the lake; lakes that were made of the same inputs; "
    "predictions written elsewhere. Tokenizers and the vocabularies of the features stage hold words, never "
    "passages."
)


def write_report(lake: Lake, erasure: Erasure) -> str:
    """Writes the report of an erasure that is done, and returns its path in the lake."""
    folder = lake.root.child(FOLDER)
    folder.create()
    name = f"{erasure.erasure_id}.html"
    folder.file(name).replace(page(lake.location, erasure))
    return f"{FOLDER}/{name}"


def page(location: str, erasure: Erasure) -> str:
    """The report as one page of HTML without scripts; every value in it is escaped."""
    done, request = erasure.done, erasure.request
    finished = "-" if erasure.finished_at is None else f"{erasure.finished_at:%Y-%m-%d %H:%M:%S} UTC"
    environment = page_environment("pipelines.forget")
    environment.filters["cell"] = _cell
    return environment.get_template(_TEMPLATE).render(
        erasure_id=erasure.erasure_id,
        about=[
            ["erasure", erasure.erasure_id],
            ["lake", location],
            ["asked for", f"{erasure.requested_at:%Y-%m-%d %H:%M:%S} UTC"],
            ["done", finished],
            ["reason", erasure.reason or "none was given"],
            ["ids", ", ".join(request["ids"]) or "-"],
            ["ids are", "source_id" if request["by_source_id"] else "doc_id"],
            ["condition", request["where"] or "-"],
            ["near-duplicates", "go too" if request["near"] else "stay"],
            ["done by", f"ringlake {erasure.code_version}"],
        ],
        documents=[
            [each["doc_id"], each["source"], each["source_id"], each["offset"], each["why"]]
            for each in erasure.documents
        ],
        models=_models(erasure),
        tables=[[name, each["rows"], each["files"]] for name, each in done.get("tables", {}).items()],
        actions=_actions(done),
        left=[
            *(
                f"{each} names a document or has a passage; it was not changed"
                for each in done.get("left", [])
            ),
            *(
                f"the history {each} was not there, so that it does not know of the erasure"
                for each in done.get("histories_not_reached", [])
            ),
            *request.get("problems", []),
            _WEIGHTS if erasure.models else "No model of this lake saw the documents.",
            _BESIDE,
        ],
    )


def _actions(done: dict[str, Any]) -> list[str]:
    found = []
    for each in done.get("sequences", []):
        counts = ", ".join(f"{count} of {split}" for split, count in each["sequences"].items())
        found.append(
            f"sequences version {each['version']}: the documents were taken out of {counts}; all ids stay, "
            f"and trainings that are pinned to this version go on"
        )
    if count := done.get("files_of_no_version"):
        found.append(f"{count} files that no version has were deleted")
    found += [f"{path} was deleted" for path in done.get("removed", [])]
    found += [f"{count} excerpts of {name} were emptied" for name, count in done.get("excerpts", {}).items()]
    found += [
        f"{count} documents are marked in the history {place}"
        for place, count in done.get("histories", {}).items()
    ]
    found += [
        f"{new['doc_id']} takes the place of {old} in the corpus once dedup runs again"
        for old, new in done.get("successors", {}).items()
    ]
    return found


def _models(erasure: Erasure) -> list[list[Any]]:
    """Each training that saw one of the documents, with its steps."""
    rows = []
    for model in erasure.models:
        steps = [step for step in erasure.steps if step["model"] == model["model"]]
        numbers = sorted({step["step"] for step in steps})
        rows.append(
            [
                model["model"],
                model["folder"] or "-",
                model["state"],
                model["trained_at"] or "-",
                _listed(numbers),
            ]
        )
    return rows


def _listed(numbers: Sequence[int]) -> str:
    """Numbers in ascending order, runs of them shortened.

    >>> _listed([1, 2, 3, 7])
    '1-3, 7'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def _cell(value: Any) -> str:
    """A value as plain text; the template escapes it."""
    return printable("-" if value is None else value if isinstance(value, str) else json.dumps(value))
