"""`ringlake bundle`: what a cluster needs of us, for spark-submit on YARN and for platforms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from conf.errors import ConfigError
from pipelines.bundle.databricks.options import DatabricksOptions
from pipelines.bundle.kubernetes.options import KubernetesOptions
from pipelines.bundle.options import Options
from pipelines.cli.ship_options import given_without_platform, options_of, with_flags
from pipelines.cli.stages import TraceOption

PLATFORMS: dict[str, type[Options]] = {"--databricks": DatabricksOptions, "--kubernetes": KubernetesOptions}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(name="bundle", short_help="Pack what a cluster needs: spark-submit, Databricks, Kubernetes.")(
        with_flags(_bundle, PLATFORMS)
    )


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
    databricks: Annotated[
        bool, typer.Option("--databricks", help="A declarative automation bundle: databricks.yml and a job.")
    ] = False,
    kubernetes: Annotated[
        bool,
        typer.Option("--kubernetes", help="Manifests of a Job and a SparkApplication, and an image's steps."),
    ] = False,
    **given: Any,
) -> None:
    """Pack our code, this Python environment (Horovod inside) and Delta's jars for spark-submit.

    Prints the command that ships them. The environment is packed anew only if a package changed. With
    --databricks or --kubernetes the job of a run file for that platform is written, and checked.

    Example: ringlake bundle --out dist/bundle

    Example: ringlake bundle --databricks --out dist/databricks --lake s3://bucket/lake --workers 2 --gpus 1

    Example: ringlake bundle --kubernetes --out dist/kubernetes --lake s3://bucket/lake --workers 2 --gpus 1
    """
    if databricks and kubernetes:
        raise ConfigError("--databricks and --kubernetes: a bundle is for one platform; name one")
    if kubernetes:
        from pipelines.bundle.kubernetes import build as for_kubernetes

        chosen = options_of("--kubernetes", PLATFORMS, given)
        assert isinstance(chosen, KubernetesOptions)
        for_kubernetes.build_kubernetes(
            Path(out), chosen, typer.echo, environment=environment, compress=compress
        )
        typer.echo("\n" + "\n".join(for_kubernetes.commands(Path(out), chosen)))
        return
    if databricks:
        from pipelines.bundle.databricks.build import build_databricks, commands

        options = options_of("--databricks", PLATFORMS, given)
        assert isinstance(options, DatabricksOptions)
        build_databricks(Path(out), options, typer.echo)
        typer.echo("\n" + "\n".join(commands(Path(out), options)))
        return
    if foreign := given_without_platform(given):
        raise ConfigError(f"{', '.join(foreign)}: options of a platform; name it, for example --databricks")
    from pipelines.bundle.build import build_bundle, submit_command

    made = build_bundle(Path(out), typer.echo, environment=environment, compress=compress)
    arguments = "run conf/runs/python-docs.yaml --set lake=hdfs:///user/$USER/lake"
    typer.echo("\n" + submit_command(made, deploy_mode="cluster", arguments=arguments))
