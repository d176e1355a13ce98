"""`ringlake forget`: documents out of every version of every table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.given import content_of
from pipelines.cli.stages import LakeOption, TraceOption
from pipelines.errors import InputError

if TYPE_CHECKING:
    from pipelines.forget.forget import Forgotten
    from pipelines.lake.erasures import Erasure

MAX_LIST_BYTES = 64 << 20
"""Largest list of ids."""

_MOST_SHOWN = 20
"""Documents and files that are listed; --json has all."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(name="forget", short_help="Remove documents from every version of every table.")(_forget)


def _forget(
    ids: Annotated[list[str] | None, typer.Argument(help="Documents, by doc_id.", metavar="[ID]...")] = None,
    lake: LakeOption = "lake",
    where: Annotated[
        str | None,
        typer.Option("--where", help="An SQL condition on the table documents.", metavar="SQL"),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", help="A list of IDs, one a line; - is standard input.", metavar="LIST"),
    ] = None,
    by_source_id: Annotated[
        bool, typer.Option("--source-id", help="IDs are the documents' own, their source_id.")
    ] = False,
    near: Annotated[
        bool, typer.Option("--near", help="Their near-duplicates, by the table duplicates, go too.")
    ] = False,
    reason: Annotated[
        str | None,
        typer.Option("--reason", help="Why: put down in the register and the report.", metavar="TEXT"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show everything that would be done; change nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    traceback: TraceOption = False,
) -> None:
    """Remove documents from every version of every table of a lake, and keep a register of it.

    Sequences keep their ids, so that trainings go on. Interrupted, the same command goes on. Without an ID it
    finishes an erasure that was interrupted.

    Example: ringlake forget --lake lake 740c68f6679cd92b4c1d8b8470430752 --reason 'request 17' --dry-run
    """
    from pipelines.console.console import Console
    from pipelines.forget.forget import described_json, forget
    from pipelines.forget.request import Request
    from pipelines.lake import Lake

    given = [*(ids or []), *([] if file is None else _listed(file))]
    request = Request(tuple(dict.fromkeys(given)), by_source_id, where, near)
    found = forget(Lake.at(lake), request, reason, Console().say, dry_run=dry_run)
    if as_json:
        text = json.dumps(described_json(found), indent=1, ensure_ascii=True, default=str)
        typer.echo(text)
    else:
        typer.echo(_shown(found))


def _listed(name: str) -> list[str]:
    too_long = f"{name!r} has more than the {MAX_LIST_BYTES:,} bytes that a list may have"
    content = content_of("--file", name, MAX_LIST_BYTES, too_long)
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"--file {name!r} is no UTF-8 at byte {error.start}") from None
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise InputError(f"--file {name!r} has no ID")
    return found


def _shown(found: Forgotten) -> str:
    from pipelines.console.console import printable

    lines = [
        f"already forgotten by erasure {each.erasure_id} of {each.requested_at:%Y-%m-%d %H:%M:%S} UTC"
        for each in found.before
    ]
    for each in found.erasures:
        lines += [*_erasure(each), ""]
    if found.dry_run:
        lines.append("dry run: nothing was changed")
    return "\n".join(printable(line) for text in lines for line in text.split("\n")).rstrip()


def _erasure(erasure: Erasure) -> list[str]:
    from pipelines.cli.tabulate import table
    from pipelines.forget.plan import Plan

    plan = Plan(**erasure.plan)
    shown = erasure.documents[:_MOST_SHOWN]
    rows = [[each["doc_id"], each["source_id"] or "-", each["source"] or "-", each["why"]] for each in shown]
    lines = [table(["document", "source_id", "source", "why"], rows)]
    if len(erasure.documents) > len(shown):
        lines.append(f"and {len(erasure.documents) - len(shown):,} more; --json has all")
    lines += ["", _tables(plan)]
    for each in plan.sequences:
        counts = ", ".join(f"{len(ids):,} of {split}" for split, ids in each["ids"].items())
        lines.append(f"sequences version {each['version']}: masked in {counts}")
    lines += [f"delete {path}" for path in plan.removed[:_MOST_SHOWN]]
    if len(plan.removed) > _MOST_SHOWN:
        lines.append(f"delete {len(plan.removed) - _MOST_SHOWN:,} files more")
    if lost := sum(map(len, plan.orphans.values())):
        lines.append(f"delete {lost:,} files that no version has")
    lines += [
        f"empty {sum(map(len, files.values())):,} excerpts of {name}" for name, files in plan.excerpts.items()
    ]
    lines += [
        f"{new['doc_id']} takes the place of {old} when dedup runs again, as the next run does"
        for old, new in plan.successors.items()
    ]
    lines += [f"mark in the history {place}" for place in plan.histories]
    lines += [f"left as it is, although it has a passage or an id: {path}" for path in plan.named]
    for model in erasure.models:
        steps: set[Any] = {step["step"] for step in erasure.steps if step["model"] == model["model"]}
        lines.append(f"seen by training {model['model']} ({model['state']}) in {len(steps):,} steps")
    if not erasure.models:
        lines.append("seen by no training")
    if erasure.done:
        lines.append(f"erasure {erasure.erasure_id} is {erasure.state}; report: {erasure.done['report']}")
    return lines


def _tables(plan: Any) -> str:
    from pipelines.cli.tabulate import table

    rows = [
        [name, f"{sum(files.values()):,}", f"{len(files):,}"] for name, files in sorted(plan.tables.items())
    ]
    return table(["table", "rows", "files"], rows, right={1, 2})
