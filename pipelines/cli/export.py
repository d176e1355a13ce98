"""`ringlake export`: files that other tools read of a lake or of a model."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.stages import TraceOption


class What(StrEnum):
    """What is written."""

    LM_EVAL = "lm-eval"
    GGUF = "gguf"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(name="export", short_help="Write what other tools read: a task of lm_eval, a GGUF file.")(
        _export
    )


def _export(
    what: Annotated[
        What,
        typer.Argument(
            help="lm-eval: the validation texts of a lake as a task of EleutherAI's lm_eval. gguf: a llama "
            "as a file for llama.cpp.",
        ),
    ],
    source: Annotated[
        str,
        typer.Argument(help="Folder of the lake; for gguf also of a model alone.", metavar="LAKE"),
    ],
    out: Annotated[str, typer.Option("--out", help="Folder of the task, or the GGUF file.", metavar="PATH")],
    documents: Annotated[
        int | None,
        typer.Option(
            "--documents", help="lm-eval: most texts, the same ones each time; all if left out.", min=1
        ),
    ] = None,
    traceback: TraceOption = False,
) -> None:
    """Write files for other tools: a task of lm_eval with the texts it needs, or a model as GGUF.

    Example: ringlake export lm-eval lake --out lm-eval
    """
    if what is What.LM_EVAL:
        _lm_eval(source, out, documents)
        return
    if documents is not None:
        raise typer.BadParameter(f"--documents {documents} is for lm-eval; leave it out for {what}")
    _gguf(source, out)


def _lm_eval(source: str, out: str, documents: int | None) -> None:
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


def _gguf(source: str, out: str) -> None:
    from pipelines.predict.request import model_folder, told_as_input
    from pipelines.text import display
    from training.models.gguf import write_gguf

    with told_as_input():
        num_bytes = write_gguf(model_folder(source), Path(out))
    typer.echo(f"{out}: {display.size(num_bytes)}, float32")
