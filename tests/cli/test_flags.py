"""A flag is its key of the configuration: the same values, the same errors, the same help."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from conf import ConfigError, RunConfig
from conf.keys import key
from pipelines.cli import stages
from pipelines.cli.main import app
from pipelines.cli.values import metavar, read
from pipelines.settings import load
from pipelines.stages import STAGES, Flag
from tests.support.cli import ringlake

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
EACH = [(stage.name, flag) for stage in STAGES for flag in stage.flags]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command line; gives the configuration that its stage would have got."""
    seen: list[RunConfig] = []

    def execute(run_file: str, overrides: list[str], *_rest: Any) -> None:
        seen.append(load(run_file, overrides))

    monkeypatch.setattr(stages, "_execute", execute)
    monkeypatch.setattr("pipelines.cli.sample._execute", execute)

    def run(*args: str) -> RunConfig:
        done = CliRunner().invoke(app, list(args))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return seen.pop()

    return run


def _at(config: Any, name: str) -> Any:
    for part in name.split("."):
        config = getattr(config, part)
    return config


@pytest.mark.parametrize(("command", "flag"), EACH, ids=[f"{c}{f.option}" for c, f in EACH])
def test_every_flag_stands_for_a_key_and_says_so(command: str, flag: Flag) -> None:
    found = key(flag.key)
    context = typer.Context(COMMANDS[command], info_name=command)
    (option,) = (item for item in COMMANDS[command].get_params(context) if flag.option in item.opts)
    assert found.meaning in option.help
    assert f"key: {flag.key}; default: {found.default}" in option.help
    for choice in found.choices:
        assert choice in option.metavar
    if found.choices and found.choices[0] in found.members:
        assert f"{flag.option} {option.metavar}" in COMMANDS[command].get_help(context)


def test_no_two_options_of_a_command_have_one_name() -> None:
    for name, command in COMMANDS.items():
        context = typer.Context(command, info_name=name)
        options = [opt for item in command.get_params(context) for opt in (*item.opts, *item.secondary_opts)]
        assert len(options) == len(set(options)), name


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("train --num-ranks auto", "train.num_ranks", "auto"),
        ("train --num-ranks 2", "train.num_ranks", 2),
        ("train --global-batch-size null", "train.global_batch_size", 32),
        ("train --learning-rate 5e-3", "train.learning_rate", 5e-3),
        ("dedup --url", "dedup.url", True),
        ("dedup --no-url", "dedup.url", False),
        ("dedup --batch 2024", "dedup.batch", "2024"),
        ("dedup --batch null", "dedup.batch", None),
        ("dedup --verify 0.8", "dedup.verify_threshold", 0.8),
        ("repeats --unit paragraph --keep none", "repeats.keep", "none"),
        ("repeats --unit null", "repeats.unit", None),
        ("clean --language en de --lake l", "clean.languages", ("en", "de")),
        ("clean --language en --language no", "clean.languages", ("en", "no")),
        ("mix --token-budget 1_000", "mix.token_budget", 1000),
        ("ingest --input a.txt", "ingest.format", "auto"),
        ("ingest --input a.txt --format csv", "ingest.format", "csv"),
        ("ingest --input a.txt --set ingest.format=tsv", "ingest.format", "tsv"),
        ("ingest --lake l", "ingest.format", "python-docs"),
        ("card --license cc-by-4.0", "card.license", "cc-by-4.0"),
        ("generate --lake l --temperature 0", "generate.temperature", 0.0),
    ],
)
def test_values_are_those_of_the_configuration(configured: Any, line: str, name: str, value: Any) -> None:
    found = _at(configured(*line.split()), name)
    assert (found, type(found)) == (value, type(value))


def test_items_of_a_list_that_are_sections_are_paths(configured: Any) -> None:
    sets = configured("dedup", "--decontaminate", "a: b.jsonl", "c.tsv").decontaminate.sets
    assert [item.path for item in sets] == ["a: b.jsonl", "c.tsv"]


def test_set_wins_over_a_flag(configured: Any) -> None:
    assert configured("train", "--set", "train.steps=7", "--steps", "5").train.steps == 7


def test_words_after_the_prompt_are_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(app, ["generate", "--prompt", "a", "no/such/model"])
    assert "no/such/model is no model folder" in str(done.exception)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train --num-ranks many", ["train.num_ranks = 'many'", "integer", "'auto'"]),
        ("train --num-ranks 0", ["train.num_ranks = 0", "greater than or equal to 1"]),
        ("train --steps 3.5", ["train.steps = '3.5'", "integer"]),
        ("train --steps null", ["train.steps = 'null'", "integer"]),
        ("train --learning-rate nan", ["train.learning_rate = nan", "finite"]),
        ("ingest --format pdf", ["ingest.format = 'pdf'", "known are auto, jsonl", "delta"]),
        ("repeats --unit word", ["repeats.unit = 'word'", "'line' or 'paragraph'"]),
        ("generate --lake l --top-p 2", ["generate.top_p = 2.0", "less than or equal to 1"]),
    ],
)
def test_a_wrong_value_is_told_as_the_configuration_tells_it(
    configured: Any, line: str, words: Sequence[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(*line.split())
    for word in words:
        assert word in str(caught.value)


def test_a_wrong_value_ends_with_the_exit_code_of_a_wrong_command_line(tmp_path: Path) -> None:
    done = ringlake("train", "--num-ranks", "many", "--lake", tmp_path / "lake", code=2)
    assert "train.num_ranks = 'many'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "words", "value"),
    [
        ("clean.rules", ["null"], None),
        ("clean.rules", ["a", "b"], ["a", "b"]),
        ("train.ports", ["7000", "7010"], [7000, 7010]),
        ("train.ports", ["x"], ["x"]),
    ],
)
def test_lists_of_other_kinds(name: str, words: list[str], value: Any) -> None:
    assert read(key(name), words) == value


def test_what_stands_for_a_value() -> None:
    assert metavar(key("train.num_ranks")) == "INTEGER|auto"
    assert metavar(key("repeats.unit")) == "[line|paragraph|null]"
    assert metavar(key("decontaminate.sets")) == "PATH..."
    assert metavar(key("train.ports")) == "INTEGER..."


def test_the_list_of_commands_waits_for_no_heavy_import() -> None:
    program = (
        "import sys; from pipelines.cli.main import run; run(['--help']); "
        "heavy = {'pydantic', 'pyarrow', 'pyspark', 'torch', 'numpy', 'gradio', 'uvicorn'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "--num-ranks" not in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
