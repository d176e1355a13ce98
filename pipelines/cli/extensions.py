"""`ringlake extensions`: what other packages add, where each comes from, and what is wrong with it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from pipelines.cli.stages import TraceOption


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(name="extensions", short_help="What other packages add, and its faults.")(_extensions)


def _extensions(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    traceback: TraceOption = False,
) -> None:
    """List the rules, formats, strategies, tasks and stages that other packages add, each with its package.

    All of them are loaded; with a fault among them the exit code is 4.
    """
    from pipelines.cli.tabulate import table
    from pipelines.doors import look_around

    found = look_around()
    if as_json:
        rows = [
            {**item.described(), "place": item.place, "fault": told or None} for item, told in found.items()
        ]
        typer.echo(json.dumps(rows, indent=2))
    elif found:
        cells = [[item.group, item.name, item.origin, "unusable" if found[item] else "ok"] for item in found]
        typer.echo(table(["group", "name", "from", "state"], cells))
    else:
        typer.echo("no installed package adds anything to ringlake; docs/extending.md says how one does")
    faults = [message for message in found.values() if message]
    if not as_json:
        for message in dict.fromkeys(faults):
            typer.echo(f"fault: {message}")
    if faults:
        raise typer.Exit(4)
