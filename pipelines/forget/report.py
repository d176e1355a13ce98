"""The report of an erasure for a data-protection officer: ids, places, counts and models, and no text."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from typing import Any

from pipelines.console.console import printable
from pipelines.lake import Lake
from pipelines.lake.erasures import Erasure

FOLDER = "erasures"
"""Folder of a lake with the reports, a file an erasure."""

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem;width:100%}"
    "th,td{border:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    "td{overflow-wrap:anywhere}"
    "th{background:#f3f3f3}"
)

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
    parts = [
        _table(
            ["what", "value"],
            [
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
        ),
        "<h2>Documents</h2>",
        _table(
            ["doc_id", "source", "source_id", "offset", "why"],
            [
                [each["doc_id"], each["source"], each["source_id"], each["offset"], each["why"]]
                for each in erasure.documents
            ],
        ),
        "<h2>Models that saw them</h2>",
        _models(erasure),
        "<h2>What was changed</h2>",
        _table(
            ["table", "rows", "files rewritten"],
            [[name, each["rows"], each["files"]] for name, each in done.get("tables", {}).items()],
        ),
        _list(_actions(done)),
        "<h2>What is left</h2>",
        _list(
            [
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
            ]
        ),
    ]
    title = f"Erasure {erasure.erasure_id}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{_text(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
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


def _models(erasure: Erasure) -> str:
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
    return _table(["training", "model folder", "state", "trained at", "steps that had them"], rows)


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


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{_text(each)}</th>" for each in header)
    body = "".join("<tr>" + "".join(f"<td>{_text(each)}</td>" for each in row) + "</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>" if body else "<p>None.</p>"


def _list(items: Sequence[str]) -> str:
    return (
        "<ul>" + "".join(f"<li>{_text(item)}</li>\n" for item in items) + "</ul>" if items else "<p>None.</p>"
    )


def _text(value: Any) -> str:
    shown = "-" if value is None else value if isinstance(value, str) else json.dumps(value)
    return html.escape(printable(shown))
