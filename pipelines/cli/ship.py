"""`ringlake bundle`: what `spark-submit` ships to a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.stages import TraceOption


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(name="bundle", short_help="Pack what spark-submit ships to a cluster.")(_bundle)


def _bundle(
    out: Annotated[str, typer.Option("--out", help="Folder of the bundle.", metavar="PATH")] = "dist/bundle",
    environment: Annotated[
        bool,
        typer.Option(
            "--environment/--no-environment",
            help="Pack Python with all packages too; not needed where every node has them.",
        ),
    ] = True,
    compress: Annotated[bool, typer.Option("--compress/--no-compress", help="gzip the environment.")] = True,
    traceback: TraceOption = False,
) -> None:
    """Pack our code, this Python environment (Horovod inside) and Delta's jars for spark-submit.

    Prints the command that ships them. The environment is packed anew only if a package changed.

    Example: ringlake bundle --out dist/bundle
    """
    from pipelines.bundle.build import build_bundle, submit_command

    made = build_bundle(Path(out), typer.echo, environment=environment, compress=compress)
    arguments = "run conf/runs/python-docs.yaml --set lake=hdfs:///user/$USER/lake"
    typer.echo("\n" + submit_command(made, deploy_mode="cluster", arguments=arguments))
