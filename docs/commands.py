"""The page of the commands: arguments, options and help texts, from typer's own tree of them."""

from __future__ import annotations

import re
from typing import Any

import typer

from docs.markdown import code, escaped, table
from pipelines.cli.main import app


def page() -> str:
    """The page."""
    group: Any = typer.main.get_command(app)
    context = typer.Context(group, info_name="ringlake")
    names = list(group.commands)
    rows = [
        [f"[{code(name)}](#{name})", escaped(group.commands[name].get_short_help_str(200))] for name in names
    ]
    sections = [_section(name, group.commands[name], context) for name in names]
    return (
        f"# Commands\n\n{_text(group.help)}\nEvery command has `--help` too.\n\n"
        f"{table(['command', 'does'], rows)}\n{_text(group.epilog)}{''.join(sections)}"
    )


def _section(name: str, command: Any, parent: Any) -> str:
    context = typer.Context(command, info_name=name, parent=parent)
    # It fills in what a help text leaves out until it is shown.
    command.get_help(context)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    rows = [_parameter(item, context) for item in command.get_params(context) if "--help" not in item.opts]
    options = f"\n{table(['argument or option', 'meaning'], rows)}" if rows else ""
    return f"\n## {name}\n\n    {usage}\n\n{_text(command.help)}{options}"


def _parameter(item: Any, context: Any) -> list[str]:
    """An argument or option as its help has it: what it is called, and what it means with its default."""
    shown, meaning = item.get_help_record(context)
    if item.param_type_name == "argument":
        shown = item.metavar or item.name
    return [code(" ".join(shown.split())), escaped(meaning)]


def _text(text: str | None) -> str:
    """A help text as paragraphs, its examples as code."""
    result = []
    for paragraph in re.split(r"\n\s*\n", (text or "").strip()):
        line = " ".join(paragraph.split())
        before, example, command = line.partition("Example: ")
        result.append(f"{before}Example:\n\n    {command}\n" if example else f"{escaped(line)}\n")
    return "\n".join(result)
