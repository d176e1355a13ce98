"""`ringlake export`: files that other tools read of a lake or of a model."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from pipelines.cli.stages import TraceOption


class What(StrEnum):
    """What is written."""

    LM_EVAL = "lm-eval"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(name="export", short_help="Write what other tools read: a task of lm-eval.")(_export)


def _export(
    what: Annotated[What, typer.Argument(help="lm-eval: the validation texts as a task of lm_eval.")],
    source: Annotated[str, typer.Argument(help="Folder of the lake.", metavar="LAKE")],
    out: Annotated[str, typer.Option("--out", help="Folder to write to.", metavar="PATH")],
    documents: Annotated[
        int | None,
        typer.Option(
            "--documents", help="lm-eval: most texts, the same ones each time; all if left out.", min=1
        ),
    ] = None,
    traceback: TraceOption = False,
) -> None:
    """Write the validation texts of a lake as a task of EleutherAI's lm_eval, and print its command line.

    Example: ringlake export lm-eval lake --out lm-eval
    """
    from pipelines.export.lm_eval import TASK, export_lm_eval
    from pipelines.lake import Lake

    lake = Lake.at(source)
    made = export_lm_eval(lake, out, documents)
    typer.echo(
        f"{made.documents:,} validation texts of version {made.version} of corpus are in {made.folder}"
    )
    typer.echo(
        f"lm_eval run --model hf --model_args pretrained={lake.model.location} --tasks {TASK} "
        f"--include_path {made.folder}"
    )
