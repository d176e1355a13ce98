"""The code in the README of a model runs as it stands, and the tokenizer brings what it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from conf.task import TaskName
from tests.docs.blocks import blocks
from tests.support.cli import environment
from tests.training.card.models import TASKS, export
from training.inference.generate import Writer
from training.inference.options import Options
from training.models.card.opening import opening

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[TaskName, Path]:
    return {name: export(name, tmp_path_factory.mktemp(name)) for name in TASKS}


def run(blocks_of: list[str], folder: Path) -> str:
    """What Python prints of several programs, one after the other, each for itself."""
    program = "\nprint('----')\n".join(f"exec({block!r}, {{}})" for block in blocks_of)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment(PYTHONPATH="", HF_HUB_OFFLINE="1", PYTHONWARNINGS="ignore"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{program}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.mark.parametrize("name", TASKS)
def test_the_python_of_a_readme_runs(folders: dict[TaskName, Path], name: TaskName) -> None:
    page = (folders[name] / "README.md").read_text("utf-8")
    found = [block.text for block in blocks(page) if block.kind == "python"]
    has_pipeline = name not in ("translation", "question-answering")
    assert ["pipeline(" in text for text in found] == ([True, False] if has_pipeline else [False])
    printed = run(found, folders[name]).split("----\n")
    assert len(printed) == len(found)
    if name == "classification":
        assert "'label'" in printed[0] and "'score'" in printed[0]
    if name == "language-model":
        assert printed[0].startswith("The ") and printed[1].startswith("The")


def test_a_model_that_may_say_no_answer_is_opened_so(tmp_path: Path) -> None:
    folder = export("question-answering", tmp_path, no_answer=True)
    (code,) = [
        block.text for block in blocks((folder / "README.md").read_text("utf-8")) if block.kind == "python"
    ]
    assert "no answer" in run([code], folder) or "best > none" in code


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_the_commands_of_a_readme_run(folders: dict[TaskName, Path], name: TaskName, tmp_path: Path) -> None:
    page = (folders[name] / "README.md").read_text("utf-8")
    (command,) = [block.text for block in blocks(page) if block.kind == "bash"]
    program = tmp_path / "ringlake"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipelines.cli.main "$@"\n')
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folders[name],
        env=environment(PATH=path, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr[-4000:]}"


@pytest.mark.parametrize("name", TASKS)
def test_the_tokenizer_brings_end_padding_and_template(folders: dict[TaskName, Path], name: TaskName) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folders[name])
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (0, 0)
    assert bool(tokenizer.chat_template) == (name == "instruct")


def test_transformers_writes_the_prompt_of_a_chat_that_was_learned(folders: dict[TaskName, Path]) -> None:
    messages = [
        {"role": "user", "content": "the value?"},
        {"role": "assistant", "content": "fox"},
        {"role": "user", "content": "return"},
    ]
    tokenizer = AutoTokenizer.from_pretrained(folders["instruct"])
    found = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    own = Writer(str(folders["instruct"]), Options())._prompt(0, {"messages": messages})
    assert list(found) == own.ids  # type: ignore[union-attr]
    roles = [tokenizer.convert_tokens_to_ids(f"<|{role}|>") for role in ("user", "assistant")]
    assert found[0] == roles[0] and found[-1] == roles[1]


def test_no_text_of_the_data_stands_in_the_code() -> None:
    hostile = {"task": "classification", "labels": ["```\nimport os"], "name": "```", "longest": 8}
    assert "import os" not in "\n".join(opening(hostile))
