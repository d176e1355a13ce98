"""Every example in help texts, README and documentation names what there is."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.testing

from conf import load
from pipelines.clean.profiles import PROFILES
from pipelines.clean.rules import RULES
from pipelines.cli.main import app
from ringlake.base.storage import Folder
from schemas import TABLES

ROOT = Path(__file__).resolve().parents[2]
TEXTS = sorted(
    [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "pipelines" / "cli").glob("*.py")]
)

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def _lines(text: str) -> Iterator[list[str]]:
    """The arguments of each example line of `ringlake` in a text, lines continued with a backslash joined."""
    text = text.replace("\\\n", " ")
    for line in re.findall(r"^(?: {4}|  Example: |Example: )(?:\S*bin/)?(ringlake .*)$", text, re.MULTILINE):
        for part in line.split("&&"):
            words = shlex.split(part.strip(), comments=True)
            # What a script was given is known when it runs.
            if words and not {"...", "$@"} & set(words):
                yield words[1:]


def _check(args: list[str]) -> None:
    """Reads a command line as the command does, up to its validated configuration, and runs nothing."""
    command = COMMANDS[args[0]]
    context = command.make_context(args[0], args[1:])
    settings = list(context.params.get("settings") or [])
    for flag in getattr(command, "flags", ()):
        value = context.params.get(flag.parameter)
        if value not in (None, (), []):
            settings += command.overrides({flag.key: value})
    load(overrides=settings)


def test_every_example_of_a_help_text_is_a_command_line_that_is_taken() -> None:
    examples = []
    for name, command in COMMANDS.items():
        for text in re.findall(r"Example: (.+(?:\n(?!\n).+)*)", command.help or ""):
            examples += list(_lines("    " + " ".join(text.split())))
            assert any(args[0] == name for args in examples), f"the example of {name} is of another command"
    assert len(examples) >= 8
    for args in examples:
        _check(args)


@pytest.mark.parametrize("path", [path for path in TEXTS if path.suffix == ".md"], ids=lambda path: path.name)
def test_every_command_line_of_the_documentation_is_taken(path: Path) -> None:
    for args in _lines(path.read_text(encoding="utf-8")):
        _check(args)


def test_a_command_line_of_a_flag_that_there_is_not_is_found() -> None:
    (args,) = _lines("    ringlake train --ranks 2\n")
    with pytest.raises(Exception, match="No such option"):
        _check(args)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_rules_profiles_keys_and_tables_of_examples_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for rule in re.findall(r"rule = '([^']+)'", text):
        assert rule in RULES, rule
    for profile in re.findall(r"--profile ([a-z][\w-]+)", text):
        assert profile in PROFILES, profile
    for table in re.findall(r"ringlake show \S+ ([a-z_]+)", text):
        assert table in TABLES, table
    for name in re.findall(r"\bconf/runs/[\w.-]+\.yaml", text):
        assert Folder(str(ROOT)).exists(name), name
    for override in re.findall(r"--set ([a-z_]+(?:\.[a-z_]+)*=[\w/:.-]+)(?=[\s`'\"])", text):
        load(overrides=[override])


def test_the_commands_of_the_examples_are_commands() -> None:
    for path in TEXTS:
        found = re.findall(
            r"(?:^ {4}|`|bin/|Example: )ringlake ([a-z]+)\b", path.read_text("utf-8"), re.MULTILINE
        )
        # The page about extensions adds a stage of another package.
        added = {"hosts"} if path.name == "extending.md" else set()
        assert set(found) <= {*COMMANDS, *added}, path.name
