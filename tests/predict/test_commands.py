"""The commands: one text, standard input, files; what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pipelines.cli.main import app
from pipelines.errors import InputError
from tests.inference.tiny import TEXTS
from tests.support.cli import ringlake


def call(*args: str | Path, stdin: str | bytes | None = None) -> Result:
    done = CliRunner().invoke(app, list(map(str, args)), input=stdin)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.mark.parametrize("verb", ["classify", "translate", "embed"])
def test_one_text_is_what_a_file_of_it_gives(models: dict[str, Path], verb: str, tmp_path: Path) -> None:
    printed = call(verb, models[verb], "--text", TEXTS[0]).stdout
    assert call(verb, models[verb], "--text", "-", stdin=TEXTS[0]).stdout == printed
    row = json.dumps({"id": 1, "text": TEXTS[0]}) + "\n"
    made = json.loads(call(verb, models[verb], "--input", "-", stdin=row).stdout)
    if verb == "embed":
        assert json.loads(printed) == pytest.approx(made["prediction"], abs=1e-5)
    else:
        text, _, score = printed.rstrip("\n").partition("\t")
        assert text == made["prediction"]
        assert (score == f"{made['score']:.6f}") if verb == "classify" else not score


def test_an_answer(models: dict[str, Path]) -> None:
    context = "The fox jumps over the dog."
    printed = call("answer", models["answer"], "--question", "fox?", "--context", context).stdout
    text, _, score = printed.rstrip("\n").partition("\t")
    assert text in context and 0 < float(score) <= 1


def test_prompts_of_a_file_are_those_of_the_command_line(models: dict[str, Path], tmp_path: Path) -> None:
    flags = ["--temperature", "0", "--max-new-tokens", "5"]
    plain = call("generate", models["generate"], "--prompt", "the", "--prompt", "fox", *flags).stdout
    rows = "".join(json.dumps({"id": text, "prompt": text}) + "\n" for text in ("the", "fox"))
    (tmp_path / "in.jsonl").write_text(rows)
    call(
        "generate",
        models["generate"],
        "--input",
        tmp_path / "in.jsonl",
        "--output",
        tmp_path / "o.jsonl",
        *flags,
    )
    made = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert plain == "".join(f"{row['id']}{row['prediction']}\n" for row in made)
    assert call("generate", models["generate"], "--prompt", "the", "--stream", *flags).stdout in plain


def test_flags_of_drawing_are_taken(models: dict[str, Path]) -> None:
    flags = [
        "--top-k",
        "5",
        "--repetition-penalty",
        "1.2",
        "--seed",
        "9",
        "--max-new-tokens",
        "6",
        "--stop",
        "zz",
    ]
    first = call("generate", models["generate"], "--prompt", "the", *flags).stdout
    assert first == call("generate", models["generate"], "--prompt", "the", *flags).stdout


def test_a_chat_answers_line_by_line(models: dict[str, Path]) -> None:
    flags = ["--max-new-tokens", "5", "--temperature", "0"]
    done = call("generate", models["chat"], "--chat", *flags, stdin="the fox\n\nreturn\n")
    rows = [{"messages": [{"role": "user", "content": "the fox"}]}]
    made = call("generate", models["chat"], "--input", "-", *flags, stdin=json.dumps(rows[0])).stdout
    answer = json.loads(made)["prediction"]
    rows[0]["messages"] += [{"role": "assistant", "content": answer}, {"role": "user", "content": "return"}]
    made = call("generate", models["chat"], "--input", "-", *flags, stdin=json.dumps(rows[0])).stdout
    assert done.stdout == f"{answer}\n{json.loads(made)['prediction']}\n"
    with pytest.raises(InputError, match="no chat template"):
        call("generate", models["generate"], "--chat", stdin="a\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["classify", "M"], "give rows with --input"),
        (["classify", "M", "--text", "a", "--input", "b.jsonl"], "give rows with --input"),
        (["classify", "M", "--text", "a", "--cluster"], "leave it out for one text"),
        (["answer", "M", "--question", "a"], "--question and --context"),
        (["generate", "M", "--input", "a.jsonl", "--prompt", "a"], "leave out --prompt"),
        (["translate", "M", "--beams", "0", "--text", "a"], "--beams"),
    ],
)
def test_a_wrong_command_line_ends_with_its_code(line: list[str], words: str) -> None:
    done = call(*line)
    assert done.exit_code == 2
    assert words in " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("verb", "args", "words"),
    [
        ("generate", ["--text", "a"], "is a llama with a causal head; classify needs a classification head"),
        ("classify", ["--text", " "], "no visible character (empty)"),
    ],
)
def test_errors_are_the_users(models: dict[str, Path], verb: str, args: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        call("classify", models[verb], *args)
    assert words in str(caught.value)


def test_a_process_of_its_own_reads_standard_input_and_tells_its_rate(models: dict[str, Path]) -> None:
    done = ringlake("classify", models["generate"], "--text", "a", code=3)
    assert done.stderr.startswith("ringlake: error: ") and "classify needs" in done.stderr
    assert "Traceback" not in done.stderr
