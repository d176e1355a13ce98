"""`ringlake setup`: what a pip installation still lacks, the Horovod wheel and Delta's jars."""

from __future__ import annotations

import typer

from pipelines.setup.__main__ import main as set_up_main


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        name="setup",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
        short_help="Build Horovod, fetch Delta's jars.",
        help="Check this machine, build and install Horovod, fetch Delta's jars.",
    )(_setup)


def _setup(context: typer.Context) -> None:
    code = set_up_main(context.args)
    if code:
        raise typer.Exit(code)
