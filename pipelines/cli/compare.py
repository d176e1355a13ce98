"""`ringlake compare`: which of two recipes makes the better model of the same budget."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from pipelines.cli.stages import SetOption, TraceOption


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(name="compare", short_help="Which of two recipes makes the better model.")(_compare)


def _compare(
    run_files: Annotated[
        list[str], typer.Argument(help="A run file for each recipe, two at least.", metavar="A.yaml B.yaml")
    ],
    budget: Annotated[int, typer.Option("--budget", help="Training tokens of each model.", metavar="TOKENS")],
    seeds: Annotated[
        int, typer.Option("--seeds", help="Models of each recipe, from train.seed on.", metavar="N")
    ] = 3,
    out: Annotated[
        str, typer.Option("--out", help="Folder of the comparison, on a disk.", metavar="FOLDER")
    ] = "compare",
    held_out: Annotated[
        str | None,
        typer.Option(
            "--held-out",
            help="Texts that the models are scored on: .jsonl with a field text, .txt with a text a line; "
            "default: documents that every recipe keeps as they are.",
            metavar="FILE",
        ),
    ] = None,
    documents: Annotated[
        int, typer.Option("--documents", min=1, help="Most held-out texts.", metavar="N")
    ] = 1000,
    confidence: Annotated[
        float, typer.Option("--confidence", help="Confidence of the verdict.", metavar="SHARE")
    ] = 0.95,
    settings: SetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print compare.json.")] = False,
    traceback: TraceOption = False,
) -> None:
    """Train the same model on the corpora of two or more recipes, and say which one makes the better model.

    Each corpus is cut to the same tokens; the models are scored in bits per byte on texts that no recipe
    filtered or trains on. Writes FOLDER/compare.json and FOLDER/compare.html. The same command goes on where
    it stopped; with more seeds it trains those that are missing.

    Example: ringlake compare gopher.yaml fineweb.yaml --budget 20000000 --seeds 3 --out comparison
    """
    from pipelines.compare.compare import Request, compare
    from pipelines.console.console import Console

    request = Request(
        tuple(run_files), budget, seeds, out, tuple(settings or ()), held_out, documents, confidence
    )
    result = compare(request, Console())
    if as_json:
        typer.echo(json.dumps(result, indent=1, ensure_ascii=False))
        return
    from pipelines.cli.compared import shown

    typer.echo(shown(result, out))
