"""What `trace` and `verify` found, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.cli.tabulate import table
from pipelines.console.console import printable

_MOST_STEPS = 40
"""Lines of steps that are shown; --json has all."""

_MOST_TEXT = 200


def shown(found: Mapping[str, Any]) -> str:
    """Documents, steps and models as tables; texts made printable."""
    parts: list[str] = []
    documents = found["documents"]
    for row in found.get("quarantined") or []:
        parts.append(
            printable(
                f"quarantined: {row['source']} at byte {row['offset']}: {row['reason']} ({row['detail']})"
            )
        )
    if documents and "overlap" in documents[0]:
        parts.append(_overlaps(documents))
    elif documents and "tables" in documents[0]:
        parts += [_document(document) for document in documents]
    elif documents:
        parts.append(_batch(documents))
    else:
        said = found.get("cleaning")
        told = f"; cleaning would say of it: {said}" if said else ""
        parts.append(f"no document{told}")
    parts += _steps(found["steps"])
    if found["models"]:
        header = ["model", "state", "steps", "trained at", "folder"]
        rows = [
            [
                each["model"],
                each["state"],
                f"{each['steps']:,}",
                (each["trained_at"] or "-")[:19],
                each["folder"] or "-",
            ]
            for each in found["models"]
        ]
        parts.append(table(header, rows, right={2}))
        parts += [
            f"{each['model']}: {each['sequences_lost']} planned sequences were lost with a rank; which ones, "
            f"its log does not say"
            for each in found["models"]
            if each["sequences_lost"]
        ]
    elif documents and "tables" in documents[0]:
        parts.append("no training of this lake saw it in a batch")
    parts += [f"note: {printable(line)}" for line in found.get("problems") or []]
    parts += [f"note: {printable(line)}" for line in found.get("notes") or []]
    return "\n\n".join(parts)


def shown_certificate(found: Mapping[str, Any]) -> str:
    """The checks of a certificate as a table, and what it does not cover."""
    rows = [
        ["passed" if check["passed"] else "FAILED", check["name"], check["detail"]]
        for check in found["checks"]
    ]
    lines = [table(["result", "check", "detail"], rows), "", f"verdict: {found['verdict']}"]
    batches = found.get("batches")
    if batches:
        lines.append(f"batches: {batches['steps']:,} steps, chain {batches['chain']}")
    lines += [f"not checked: {item}" for item in found.get("not_checked") or []]
    return "\n".join(lines)


def _batch(documents: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            document["doc_id"],
            document["source_id"] or "-",
            document["path"] or document["source"] or "-",
            _number(document["offset"]),
            ", ".join(str(part["sequence_id"]) for part in document["parts"]),
        ]
        for document in documents
    ]
    return table(["document", "source_id", "file", "byte offset", "sequences"], rows, right={3})


def _document(document: Mapping[str, Any]) -> str:
    where = document["path"] or document["source"] or "unknown file"
    if (document["file"] or {}).get("unchanged") is False:
        where += " (its size has changed since)"
    lines = [
        f"document   {document['doc_id']}",
        f"source_id  {document['source_id'] or '-'}",
        f"file       {where}, byte offset {_number(document['offset'])}",
        f"outcome    {document['outcome']}",
    ]
    rows = []
    for entry in document["tables"]:
        told = "; ".join(f"{key} {_value(value)}" for key, value in entry.get("row", {}).items())
        rows.append([entry["table"], _versions(entry["versions"]), told])
    places = document["sequences"]
    if places:
        for version in sorted({place["version"] for place in places}):
            own = [place for place in places if place["version"] == version]
            numbers = [f"{place['split']} {place['sequence_id']}" for place in own]
            more = f" and {len(numbers) - 8} more" if len(numbers) > 8 else ""
            rows.append(["sequences", str(version), ", ".join(numbers[:8]) + more])
    text = "\n".join(printable(line) for line in lines)
    return text + ("\n" + table(["table", "versions", "says"], rows) if rows else "")


def _overlaps(documents: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            f"{document['overlap']['tokens']:,}",
            f"{document['overlap']['characters']:,}",
            document["doc_id"],
            document["source_id"] or "-",
            document["path"] or document["source"] or "-",
            _number(document["offset"]),
            document["overlap"]["text"][:_MOST_TEXT],
        ]
        for document in documents
    ]
    header = ["tokens", "characters", "document", "source_id", "file", "byte offset", "text"]
    return table(header, rows, right={0, 1, 5})


def _steps(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    if not steps:
        return []
    if "sequences" in steps[0]:
        (only,) = steps
        logged = only["ids_hash_in_log"]
        told = {None: "its log is gone", only["ids_hash"]: "as the log has it"}.get(
            logged, f"the log has {logged}"
        )
        return [
            f"step {only['step']:,} of {only['model']}, epoch {only['epoch']}: {len(only['sequences'])} "
            f"sequences, ids_hash {only['ids_hash']} ({told})"
        ]
    rows = [
        [step["model"], f"{step['step']:,}", str(step["epoch"]), str(step["sequence_id"]), step["doc_id"]]
        for step in steps[:_MOST_STEPS]
    ]
    found = [table(["model", "step", "epoch", "sequence", "document"], rows, right={1, 2, 3})]
    if len(steps) > _MOST_STEPS:
        found.append(f"the first {_MOST_STEPS} of {len(steps):,} steps; --json has all")
    return found


def _versions(versions: Sequence[int]) -> str:
    return ", ".join(map(str, versions)) if len(versions) < 8 else f"{versions[0]} ... {versions[-1]}"


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:,}"


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "-" if value is None else str(value)
