"""`ringlake generate`: continue a prompt with a model folder, or write a lake's samples."""

from __future__ import annotations

from typing import Annotated

import typer

from conf import DEFAULT_RUN
from pipelines.cli.flags import FlagCommand
from pipelines.cli.stages import ForceOption, SetOption, TraceOption, _execute
from pipelines.errors import InputError


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
    settings: SetOption = None,
    force: ForceOption = False,
    traceback: TraceOption = False,
) -> None:
    """Continue prompts with a trained model.

    Example: ringlake generate lake/model --prompt "Return the" --temperature 0.7
    """
    overrides = settings or []
    if lake is not None:
        _execute(DEFAULT_RUN, [f"lake={lake}", *overrides], "generate", None, force)
        return
    if model is None:
        raise typer.BadParameter("name a model folder, e.g. lake/model, or a lake with --lake")
    from pipelines.settings import load
    from ringlake.base.storage import folder_of

    folder = folder_of(model)
    if not folder.exists("config.json") and folder.child("model").exists("config.json"):
        folder = folder.child("model")
    if not folder.exists("config.json"):
        raise InputError(f"{model} is no model folder: it has no config.json; train one with `ringlake run`")
    config = load(DEFAULT_RUN, overrides).generate
    from training.generate import generate_text

    for text in prompt or config.prompts:
        typer.echo(text + generate_text(folder.location, text, config))
