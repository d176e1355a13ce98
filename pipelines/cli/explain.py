"""`ringlake clean --explain FILE`: what cleaning measures of one text, without a lake and without Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipelines.cli.given import content_of
from pipelines.errors import InputError

if TYPE_CHECKING:
    from conf import RunConfig


def explain_file(name: str, config: RunConfig) -> None:
    """Prints every rule's value and verdict for the text of a file, '-' for standard input.

    Raises:
        InputError: The file cannot be read, is longer than a document may be, or is no UTF-8.
        ConfigError: A name in the configuration is not known.
    """
    from pipelines.clean.explain import explain

    text = _read(name, config.ingest.max_document_bytes)
    found = explain(text, config.clean)
    lines = [
        f"profile   {config.clean.profile}{' (settings of this language)' if found.own_plan else ''}, "
        f"words by {found.splitter}",
        f"text      {found.num_characters:,} characters, {found.num_repairs:,} repaired",
        "language  " + (_languages(found.languages) or "undetermined: no letters"),
    ]
    rows = []
    for verdict in found.verdicts:
        if verdict.threshold is None:
            rows.append([verdict.name, f"{verdict.value:g} lines", "", "dropped"])
        else:
            limit = ("at least " if verdict.comparison == "<" else "at most ") + f"{verdict.threshold:g}"
            rows.append(
                [verdict.name, f"{verdict.value:.6g}", limit, "passes" if verdict.passes else "FAILS"]
            )
    typer.echo(_shown("\n".join(lines)))
    if rows:
        from pipelines.cli.tabulate import table

        typer.echo("\n" + table(["rule or step", "value", "limit", "verdict"], rows, right={1}))
    typer.echo()
    for item in found.found:
        typer.echo(f"privacy   {item.kind}: {item.count:,} ({item.mode})")
        for place in item.places:
            typer.echo("          … " + _shown(place.replace("\n", "\\n").replace("\t", "\\t")) + " …")
    if not found.found:
        typer.echo("privacy   nothing found")
    typer.echo("decision  kept" if found.decision == "kept" else f"decision  rejected by {found.decision}")


def _languages(candidates: tuple[tuple[str, float], ...]) -> str:
    return ", ".join(f"{code} {score:.3f}" for code, score in candidates)


def _shown(text: str) -> str:
    from pipelines.console.console import printable

    return printable(text)


def _read(name: str, limit: int) -> str:
    too_long = (
        f"--explain {name!r} has more than the {limit:,} bytes of ingest.max_document_bytes; ingest would "
        f"quarantine it"
    )
    content = content_of("--explain", name, limit, too_long)
    try:
        return content.decode().replace("\x00", "")
    except UnicodeDecodeError as error:
        raise InputError(f"--explain {name!r} is no UTF-8 at byte {error.start}; convert it first") from None
