"""`ringlake translate`, `classify`, `answer` and `embed`: a model asked about one text, a file or a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from conf import DEFAULT_RUN
from pipelines.cli.stages import SetOption, TraceOption
from pipelines.errors import InputError

if TYPE_CHECKING:
    from training.inference.predictor import Prediction

PART_ROWS = 100_000
"""Rows of a commit on Spark, about: what a kill costs at most. Each part reads the input once more."""

ModelArgument = Annotated[
    str, typer.Argument(help="Model folder, a path or URL, or a lake.", metavar="MODEL")
]
InputOption = Annotated[
    str | None,
    typer.Option(
        "--input",
        help="Rows: a .jsonl file (with --cluster also a pattern), - for standard input, or a Delta table, "
        "FOLDER or FOLDER@VERSION.",
        metavar="FILE_OR_TABLE",
    ),
]
OutputOption = Annotated[
    str,
    typer.Option(
        "--output",
        help="Predictions: a .jsonl file, - for standard output, or the folder of a Delta table.",
        metavar="FILE_OR_TABLE",
    ),
]
ClusterOption = Annotated[
    bool, typer.Option("--cluster", help="Run on Spark (--set spark.master=...), else in this process.")
]
IdOption = Annotated[str, typer.Option("--id", help="Column that names a row.", metavar="COLUMN")]
TextOption = Annotated[
    str | None, typer.Option("--text", help="One text instead of rows; - for standard input.", metavar="TEXT")
]
PartOption = Annotated[
    int, typer.Option("--part-rows", min=1, help="With --cluster: rows of a commit, about.")
]
BatchOption = Annotated[
    int,
    typer.Option("--batch-tokens", min=1, help="Padded tokens of a batch; for speed and memory only."),
]
PrecisionOption = Annotated[str, typer.Option("--precision", help="float32, or bf16 on a GPU.")]
ForceOption = Annotated[
    bool,
    typer.Option("--force", help="Run even if nothing changed; replace any other table."),
]


@dataclass(frozen=True)
class Asked:
    """What a command was asked: one row, or a whole input.

    Attributes:
        row: The row; its values None where rows come from an input.
        source: The input.
        target: The output.
        on_cluster: Whether Spark does it.
        part_rows: Rows of a commit then.
        id_column: Column that names a row.
        settings: The texts of `--set`.
        force: Whether to run although nothing changed.
    """

    row: Mapping[str, str | None]
    source: str | None
    target: str
    on_cluster: bool
    part_rows: int
    id_column: str
    settings: list[str]
    force: bool


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command(name="translate", short_help="Translate texts with a model.")(_translate)
    app.command(name="classify", short_help="Label texts with a model.")(_classify)
    app.command(name="answer", short_help="Answer questions from contexts with a model.")(_answer)
    app.command(name="embed", short_help="Turn texts into vectors with a model.")(_embed)


def _translate(
    model: ModelArgument,
    text: TextOption = None,
    source: InputOption = None,
    target: OutputOption = "-",
    cluster: ClusterOption = False,
    part_rows: PartOption = PART_ROWS,
    id_column: IdOption = "id",
    beams: Annotated[
        int | None, typer.Option("--beams", min=1, max=64, help="Beams; default: as the model says.")
    ] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option("--max-new-tokens", min=1, help="Longest translation; default: by the text's length."),
    ] = None,
    source_language: Annotated[
        str | None,
        typer.Option("--source-language", help="Code, for models of many languages.", metavar="CODE"),
    ] = None,
    target_language: Annotated[
        str | None, typer.Option("--target-language", help="Code, likewise.", metavar="CODE")
    ] = None,
    batch_tokens: BatchOption = 4096,
    precision: PrecisionOption = "float32",
    settings: SetOption = None,
    force: ForceOption = False,
    traceback: TraceOption = False,
) -> None:
    """Translate texts with a sequence-to-sequence model: rows have id and text.

    Example: ringlake translate models/en-de --text "The fox sleeps."
    """
    options = {
        "beams": beams,
        "max_new_tokens": max_new_tokens,
        "source_language": source_language,
        "target_language": target_language,
        "batch_tokens": batch_tokens,
        "precision": precision,
    }
    asked = Asked({"text": text}, source, target, cluster, part_rows, id_column, settings or [], force)
    ask("translate", model, options, asked)


def _classify(
    model: ModelArgument,
    text: TextOption = None,
    source: InputOption = None,
    target: OutputOption = "-",
    cluster: ClusterOption = False,
    part_rows: PartOption = PART_ROWS,
    id_column: IdOption = "id",
    batch_tokens: BatchOption = 4096,
    precision: PrecisionOption = "float32",
    settings: SetOption = None,
    force: ForceOption = False,
    traceback: TraceOption = False,
) -> None:
    """Label texts with a classification model: rows have id and text; the score is the label's probability.

    Example: ringlake classify models/sentiment --input reviews.jsonl --output labels.jsonl
    """
    options = {"batch_tokens": batch_tokens, "precision": precision}
    asked = Asked({"text": text}, source, target, cluster, part_rows, id_column, settings or [], force)
    ask("classify", model, options, asked)


def _answer(
    model: ModelArgument,
    question: Annotated[
        str | None, typer.Option("--question", help="One question instead of rows.", metavar="TEXT")
    ] = None,
    context: Annotated[
        str | None, typer.Option("--context", help="Its context; - for standard input.", metavar="TEXT")
    ] = None,
    source: InputOption = None,
    target: OutputOption = "-",
    cluster: ClusterOption = False,
    part_rows: PartOption = PART_ROWS,
    id_column: IdOption = "id",
    no_answer: Annotated[
        bool | None,
        typer.Option(
            "--no-answer/--always-answer",
            help="Whether there may be none (an empty text); default: as the model's config.json says.",
        ),
    ] = None,
    batch_tokens: BatchOption = 4096,
    precision: PrecisionOption = "float32",
    settings: SetOption = None,
    force: ForceOption = False,
    traceback: TraceOption = False,
) -> None:
    """Answer questions by a part of their context: rows have id, question and context.

    Example: ringlake answer models/squad --question "Who sleeps?" --context "The fox sleeps."
    """
    options = {"no_answer": no_answer, "batch_tokens": batch_tokens, "precision": precision}
    row = {"question": question, "context": context}
    ask(
        "answer",
        model,
        options,
        Asked(row, source, target, cluster, part_rows, id_column, settings or [], force),
    )


def _embed(
    model: ModelArgument,
    text: TextOption = None,
    source: InputOption = None,
    target: OutputOption = "-",
    cluster: ClusterOption = False,
    part_rows: PartOption = PART_ROWS,
    id_column: IdOption = "id",
    batch_tokens: BatchOption = 4096,
    precision: PrecisionOption = "float32",
    settings: SetOption = None,
    force: ForceOption = False,
    traceback: TraceOption = False,
) -> None:
    """Turn texts into vectors of length 1: rows have id and text, predictions are lists of numbers.

    Example: ringlake embed models/encoder --input corpus --id doc_id --output vectors --cluster
    """
    options = {"batch_tokens": batch_tokens, "precision": precision}
    asked = Asked({"text": text}, source, target, cluster, part_rows, id_column, settings or [], force)
    ask("embed", model, options, asked)


def ask(verb: str, model: str, options: Mapping[str, Any], asked: Asked) -> None:
    """Prints the prediction of one row, or predicts a whole input.

    Args:
        verb: What the model is asked for.
        model: Model folder, or a lake.
        options: How it is used, by name.
        asked: The row, or input and output.
    """
    given = {name: value for name, value in asked.row.items() if value is not None}
    if bool(given) == (asked.source is not None) or (given and len(given) < len(asked.row)):
        needed = " and ".join(f"--{name}" for name in asked.row)
        raise typer.BadParameter(f"give rows with --input, or one text with {needed}")
    if given and asked.on_cluster:
        raise typer.BadParameter("--cluster is for the rows of --input; leave it out for one text")
    # Imported late: a wrong command line is told before torch is loaded.
    from pipelines.console.console import Console
    from pipelines.predict.request import request
    from pipelines.settings import load

    wanted = request(verb, model, options, asked.id_column)
    if asked.source is None:
        row = {name: _whole_input() if value == "-" else value for name, value in given.items()}
        typer.echo(shown(one(wanted, row)))
    elif asked.on_cluster:
        from pipelines.predict.cluster import predict_on_cluster

        config = load(DEFAULT_RUN, asked.settings)
        predict_on_cluster(
            wanted,
            asked.source,
            asked.target,
            config,
            Console(),
            part_rows=asked.part_rows,
            force=asked.force,
        )
    else:
        from pipelines.predict.local import predict_locally

        predict_locally(wanted, asked.source, asked.target, Console(), force=asked.force)


def one(wanted: Any, row: Mapping[str, Any]) -> Prediction:
    """The prediction of one row; InputError if it is refused."""
    from pipelines.predict.request import told_as_input
    from training.inference.opening import open_predictor
    from training.inference.predictor import Refusal

    with told_as_input():
        (outcome,) = open_predictor(wanted.verb, wanted.model, wanted.options).predict([row])
    if isinstance(outcome, Refusal):
        raise InputError(f"{wanted.verb}: {outcome.detail} ({outcome.reason})")
    return outcome


def shown(found: Prediction) -> str:
    """A prediction as a line: its text, then a tab and the score if it has one; a vector as JSON."""
    text = found.value if isinstance(found.value, str) else json.dumps(found.value)
    return text if found.score is None else f"{text}\t{found.score:.6f}"


def _whole_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise InputError(f"standard input is no UTF-8 at byte {error.start}") from None
