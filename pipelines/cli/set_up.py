"""`ringlake setup`: what a pip installation still lacks, the Horovod wheel and Delta's jars."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        name="setup",
        short_help="Build Horovod, fetch Delta's jars.",
        help="Check this machine, build and install Horovod, fetch Delta's jars.",
    )(_setup)


def _setup(
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether set-up is needed; exit code 1 if it is.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go through all steps even if nothing changed.")
    ] = False,
) -> None:
    from pipelines.setup.__main__ import main as set_up_main

    code = set_up_main([*(["--check"] if check else []), *(["--force"] if force else [])])
    if code:
        raise typer.Exit(code)
