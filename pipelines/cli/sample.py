"""`ringlake generate`: prompts, chats, files and tables continued by a model, or a lake's samples written."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from conf import DEFAULT_RUN
from pipelines.cli.flags import FlagCommand
from pipelines.cli.predict import (
    PART_ROWS,
    Asked,
    BatchOption,
    ClusterOption,
    IdOption,
    InputOption,
    OutputOption,
    PartOption,
    PrecisionOption,
    ask,
)
from pipelines.cli.stages import ForceOption, SetOption, TraceOption, _execute
from pipelines.errors import InputError

if TYPE_CHECKING:
    from training.inference.generate import Writer


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(name="generate", cls=FlagCommand)(_generate)


def _generate(
    model: Annotated[
        str | None, typer.Argument(help="Model folder, e.g. lake/model, or a lake.", metavar="MODEL")
    ] = None,
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", help="Text to continue; may be repeated.")
    ] = None,
    lake: Annotated[
        str | None, typer.Option("--lake", help="Write samples.json of this lake instead.", metavar="PATH")
    ] = None,
    source: InputOption = None,
    target: OutputOption = "-",
    cluster: ClusterOption = False,
    part_rows: PartOption = PART_ROWS,
    id_column: IdOption = "id",
    stream: Annotated[bool, typer.Option("--stream", help="Print each text while it is written.")] = False,
    chat: Annotated[
        bool, typer.Option("--chat", help="Talk with the model, a line a message, to the end of input.")
    ] = False,
    batch_tokens: BatchOption = 4096,
    precision: PrecisionOption = "float32",
    settings: SetOption = None,
    force: ForceOption = False,
    traceback: TraceOption = False,
) -> None:
    """Continue prompts with a trained model: --prompt, or rows with id and prompt (or messages) of --input.

    Example: ringlake generate lake/model --prompt "Return the" --temperature 0.7
    """
    overrides = settings or []
    if lake is not None:
        _execute(DEFAULT_RUN, [f"lake={lake}", *overrides], "generate", None, force)
        return
    if model is None:
        raise typer.BadParameter("name a model folder, e.g. lake/model, or a lake with --lake")
    if source is not None and (prompt or stream or chat):
        raise typer.BadParameter("--input has the prompts; leave out --prompt, --stream and --chat")
    if chat and prompt:
        raise typer.BadParameter("--chat takes its messages from standard input; leave out --prompt")
    from pipelines.settings import load

    config = load(DEFAULT_RUN, overrides).generate
    values = config.model_dump(exclude={"prompts"}) | {"batch_tokens": batch_tokens, "precision": precision}
    if source is not None:
        asked = Asked({}, source, target, cluster, part_rows, id_column, overrides, force)
        ask("generate", model, values, asked)
        return
    writer = _writer(model, values)
    if chat:
        _chat(writer)
    elif stream:
        for text in prompt or config.prompts:
            sys.stdout.write(text)
            _tell(writer, {"prompt": text})
    else:
        _print(writer, list(prompt or config.prompts))


def _writer(model: str, values: dict[str, Any]) -> Writer:
    from pipelines.predict.request import request, told_as_input
    from training.inference.generate import Writer

    wanted = request("generate", model, values)
    with told_as_input():
        return Writer(wanted.model, wanted.options)


def _print(writer: Writer, prompts: list[str]) -> None:
    """Prints each prompt with what follows it."""
    from training.inference.predictor import Refusal

    outcomes = writer.predict([{"prompt": text} for text in prompts])
    for text, outcome in zip(prompts, outcomes, strict=True):
        if isinstance(outcome, Refusal):
            raise InputError(f"the prompt {text[:60]!r} cannot be continued: {outcome.detail}")
        typer.echo(f"{text}{outcome.value}")


def _chat(writer: Writer) -> None:
    """Answers a line after another; each answer has seen all before it."""
    if not writer.chats:
        raise InputError("the model's tokenizer has no chat template, so it cannot chat; use --prompt")
    messages: list[dict[str, str]] = []
    while True:
        if sys.stdin.isatty():
            typer.echo("> ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            messages.append({"role": "user", "content": line.rstrip("\n")})
            messages.append({"role": "assistant", "content": _tell(writer, {"messages": messages})})


def _tell(writer: Writer, row: dict[str, Any]) -> str:
    """Prints a text while it is written; InputError if the row is refused."""
    from pipelines.predict.request import told_as_input
    from training.inference.predictor import Refusal

    def tell(piece: str) -> None:
        sys.stdout.write(piece)
        sys.stdout.flush()

    with told_as_input():
        outcome = writer.stream(row, tell)
    if isinstance(outcome, Refusal):
        raise InputError(f"the text cannot be continued: {outcome.detail}")
    sys.stdout.write("\n")
    sys.stdout.flush()
    return str(outcome.value)
