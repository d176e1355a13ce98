"""The code in the README of a model runs as it stands, and the tokenizer brings what it needs."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer
from typer.testing import CliRunner

from conf.task import TaskName
from pipelines.cli.main import app
from tests.docs.blocks import blocks
from tests.support.cli import environment
from tests.training.card.models import TASKS, export
from training.inference.generate import Writer
from training.inference.options import Options
from training.models.card.opening import opening

MAY_SAY_NONE = "question-answering, perhaps without an answer"

RUNS_EACH = """
import contextlib, io, json, os, sys
printed = []
for folder, code in json.load(sys.stdin):
    os.chdir(folder)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, f"{folder}/README.md", "exec"), {"__name__": "__main__"})
    printed.append(out.getvalue())
print(json.dumps(printed))
"""
"""Runs programs, each in its folder with names of its own, and prints what they printed."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made: dict[str, Path] = {name: export(name, tmp_path_factory.mktemp(name)) for name in TASKS}
    made[MAY_SAY_NONE] = export("question-answering", tmp_path_factory.mktemp("none"), no_answer=True)
    return made


def code_of(folder: Path, kind: str) -> list[str]:
    return [block.text for block in blocks((folder / "README.md").read_text("utf-8")) if block.kind == kind]


@pytest.fixture(scope="module")
def printed(folders: dict[str, Path]) -> dict[str, list[str]]:
    """What the Python blocks of each README print, without a network and without ringlake on the path."""
    programs = [
        (name, str(folder), code) for name, folder in folders.items() for code in code_of(folder, "python")
    ]
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUNS_EACH],
        input=json.dumps([program[1:] for program in programs]),
        env=environment(PYTHONPATH="", HF_HUB_OFFLINE="1", PYTHONWARNINGS="ignore"),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, list[str]] = {}
    for (name, *_), text in zip(programs, json.loads(done.stdout.splitlines()[-1]), strict=True):
        found.setdefault(name, []).append(text)
    return found


def test_the_python_of_every_readme_runs(folders: dict[str, Path], printed: dict[str, list[str]]) -> None:
    assert {name: len(texts) for name, texts in printed.items()} == {
        "language-model": 2,
        "instruct": 2,
        "translation": 1,
        "classification": 2,
        "question-answering": 1,
        MAY_SAY_NONE: 1,
    }
    for name in ("language-model", "instruct", "classification"):
        assert "pipeline(" in code_of(folders[name], "python")[0]
    assert "'label'" in printed["classification"][0] and "'score'" in printed["classification"][0]
    assert printed["language-model"][0].startswith("The ")
    assert printed["language-model"][1].startswith("The")
    # An answer is a part of the context.
    assert printed["question-answering"][0].strip() in "The fox sleeps."
    assert printed[MAY_SAY_NONE][0].strip() in ("no answer", *printed["question-answering"][0].split("\n"))


@pytest.mark.parametrize("name", TASKS)
def test_the_command_of_a_readme_runs(
    folders: dict[str, Path], name: TaskName, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = code_of(folders[name], "bash")
    given, _, command = line.rpartition("|")
    words = shlex.split(command)
    assert words[0] == "ringlake"
    monkeypatch.chdir(folders[name])
    done = CliRunner().invoke(app, words[1:], input=" ".join(shlex.split(given)[1:]) or None)
    assert done.exit_code == 0, done.output
    assert done.exception is None


@pytest.mark.parametrize("name", TASKS)
def test_the_tokenizer_brings_end_padding_and_template(folders: dict[str, Path], name: TaskName) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folders[name])
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (0, 0)
    assert bool(tokenizer.chat_template) == (name == "instruct")


def test_transformers_writes_the_prompt_of_a_chat_that_was_learned(folders: dict[str, Path]) -> None:
    messages = [
        {"role": "user", "content": "the value?"},
        {"role": "assistant", "content": "fox"},
        {"role": "user", "content": "return"},
    ]
    tokenizer = AutoTokenizer.from_pretrained(folders["instruct"])
    made: Any = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
    found = made["input_ids"]
    own = Writer(str(folders["instruct"]), Options())._prompt(0, {"messages": messages})
    roles = [tokenizer.convert_tokens_to_ids(f"<|{role}|>") for role in ("user", "assistant")]
    assert (found[0], found[-1]) == (roles[0], roles[1])
    # The model is shorter than the chat: its beginning is left out.
    assert own.ids == list(found)[-len(own.ids) :]  # type: ignore[union-attr]


def test_no_text_of_the_data_stands_in_the_code() -> None:
    hostile = {"verb": "classify", "labels": ["```\nimport os"], "name": "```", "longest": 8}
    assert "import os" not in "\n".join(opening(hostile))
    unknown = {"verb": "```\nimport os", "auto_class": "x\nimport os"}
    assert "import os" not in "\n".join(opening(unknown))


def test_a_model_of_another_packages_task_is_opened_by_its_class(folders: dict[str, Path]) -> None:
    lines = opening({"verb": "", "auto_class": "AutoModelForSequenceClassification"})
    code = "\n".join(lines).partition("```python\n")[2].partition("```")[0]
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folders["classification"], env=environment(PYTHONPATH="", HF_HUB_OFFLINE="1"),
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert "logits" in done.stdout, done.stderr[-4000:]
