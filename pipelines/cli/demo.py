"""`ringlake demo`: a page of this machine's own to try a model."""

from __future__ import annotations

from typing import Annotated

import typer

from conf import DEFAULT_RUN
from pipelines.cli.predict import ModelArgument, PrecisionOption
from pipelines.cli.stages import SetOption, TraceOption

PORT = 7860
"""The port that pages of this library have by habit."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(name="demo", short_help="Try a model on a page in the browser.")(_demo)


def _demo(
    model: ModelArgument,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port of 127.0.0.1 that is listened on.")
    ] = PORT,
    source_language: Annotated[
        str | None,
        typer.Option(
            "--source-language", help="Code, to translate with a model of many languages.", metavar="CODE"
        ),
    ] = None,
    target_language: Annotated[
        str | None, typer.Option("--target-language", help="Code, likewise.", metavar="CODE")
    ] = None,
    precision: PrecisionOption = "float32",
    settings: SetOption = None,
    traceback: TraceOption = False,
) -> None:
    """Open a page on this machine to try a model: chat, write, translate, classify, answer or compare texts.

    The model's head decides which. Ctrl-C ends it. Needs the extra ringlake[demo].

    Example: ringlake demo lake/model --port 7860
    """
    # Imported late: a wrong command line is told before torch is loaded.
    from pipelines.demo.run import run_demo
    from pipelines.settings import load

    options = {"source_language": source_language, "target_language": target_language, "precision": precision}
    run_demo(model, port, options, load(DEFAULT_RUN, settings or []).generate, typer.echo)
