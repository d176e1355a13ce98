"""`ringlake setup`: what a pip installation still lacks, Horovod, Petastorm, icu4py and Delta's jars."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        name="setup",
        short_help="Build Horovod, fetch Delta's jars.",
        help="Check this machine, build Horovod, install it, Petastorm and icu4py, fetch Delta's jars.",
    )(_setup)


def _setup(
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether set-up is needed; exit code 1 if it is.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Go through all steps even if nothing changed.")
    ] = False,
    wheel: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Install nothing: put the wheels of Horovod, Petastorm and icu4py into a folder.",
        ),
    ] = None,
    s3: Annotated[
        bool,
        typer.Option("--s3", help="Only fetch Spark's client of S3 (650 MB), for lakes on s3://."),
    ] = False,
) -> None:
    from pipelines.setup.__main__ import main as set_up_main

    flags = [*(["--check"] if check else []), *(["--force"] if force else []), *(["--s3"] if s3 else [])]
    code = set_up_main([*flags, *(["--wheel", str(wheel)] if wheel is not None else [])])
    if code:
        raise typer.Exit(code)
