"""The tutorial is executed as its reader would: every block, in order, in an empty folder."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks, differences, execute, is_alike
from tests.support.cli import environment

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")

SECONDS = 1800
"""The longest that a block may take on a machine that does other things too."""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a reader who has activated the virtual environment of a checkout: this one's."""
    folder = tmp_path_factory.mktemp("bin")
    python = shlex.quote(sys.executable)
    for name, command in (("python", python), ("ringlake", f"{python} -m ringlake")):
        (folder / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        (folder / name).chmod(0o755)
    return environment(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}", PYTHONPATH=str(ROOT))


# Five starts of Spark and a training of two ranks.
@pytest.mark.rare
@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_every_command_runs_and_prints_what_the_tutorial_shows(shell: dict[str, str], tmp_path: Path) -> None:
    printed, told = "", []
    for block in blocks(PAGE):
        if block.kind == "text":
            told += [f"line {block.line}: {item}" for item in differences(block.text, printed)]
        else:
            printed = execute(block, tmp_path, shell, SECONDS)
    assert not told, "\n".join(told)


def test_the_blocks_are_of_the_kinds_that_are_executed_or_compared() -> None:
    found = blocks(PAGE)
    assert {block.kind for block in found if not block.name} == {"bash", "python", "text"}
    assert [block.name for block in found if block.name] == ["write_articles.py", "articles.yaml"]
    for before, block in zip([None, *found], found, strict=False):
        # What is shown is compared with what the block before it printed.
        assert block.kind != "text" or (before is not None and before.kind in ("bash", "python"))


def test_blocks_are_found() -> None:
    page = "a\n\n```bash\nls | wc\n```\n\n    ```\n\n```yaml run.yaml\na:\n\n  b: 1\n```\n"
    assert blocks(page) == [Block(3, "bash", "", "ls | wc\n"), Block(9, "yaml", "run.yaml", "a:\n\n  b: 1\n")]
    with pytest.raises(AssertionError, match="no end"):
        blocks("```bash\nls\n")


def test_a_command_that_fails_is_told(shell: dict[str, str], tmp_path: Path) -> None:
    assert execute(Block(1, "bash", "", "ringlake version | wc -l\n"), tmp_path, shell, 60).split() == ["1"]
    for text in ("ringlake train --ranks 2", "ringlake status nowhere", "false | true", "echo $nothing"):
        with pytest.raises(AssertionError, match="line 7 ended with exit code"):
            execute(Block(7, "bash", "", text), tmp_path, shell, 60)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("606 in, 603 out documents; ...", "    606 in, 603 out documents; 1,200.0 s, 1 documents/s"),
        ("clean  ok  606  603  3  ...", "clean ok   606  603  3  12.0  2032-12-31 23:59:59"),
        ("step 80: validation loss 2.6743", "step 80: validation loss 2.71"),
        ("step 1/8  loss 2.6  lr 1.00e-04  ... ETA ...", "step 1/8 loss 2.5 lr 1.00e-04  9 tokens/s ETA 7 s"),
        ("bits per byte: model 2.077, unigram 4.1", "bits per byte: model 2.2, unigram 4.0"),
        ("On Monday the mayor ...", "On Monday the mayor and so on."),
    ],
)  # fmt: skip
def test_what_differs_from_run_to_run_is_not_compared(shown: str, printed: str) -> None:
    assert is_alike(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("606 in, 603 out; ...", "606 in, 604 out; 9.1 s"),
        ("603 out; 9.1 s", "603 out; 9.2 s"),
        ("advert  gopher.top_3_gram.max  0.19", "advert  gopher.top_4_gram.max  0.19"),
        ("advert  gopher.top_3_gram.max  0.19", "advert  gopher.top_3_gram.max  0.2"),
        ("step 80: validation loss 2.6743", "step 80: validation loss 3.9"),
        ("step 80: validation loss 2.6743", "step 90: validation loss 2.6743"),
        ("step 1/80  loss 2.6  ...  ETA ...", "step 1/80 loss 3.6 9.5 tokens/s  ETA 7 s"),
        ("On Monday the mayor ...", "Return the"),
        ("bad_json 1.5", "bad_json 1x5"),
    ],
)
def test_what_the_tutorial_claims_is_compared(shown: str, printed: str) -> None:
    assert not is_alike(shown, printed)


def test_lines_are_compared_in_any_order_and_as_often_as_they_are_shown() -> None:
    assert differences("a\nb\n", "b\n  ingest: 6 s, at work\na\n") == []
    assert differences("a\n", "a\nb\n") == ["printed, but not shown: b"]
    assert differences("a\n...\n", "a\nb\n") == []
    assert differences("a\na\n...\n", "a\nb\n") == ["shown, but not printed: a"]
    assert differences("", "a\n") == ["printed, but not shown: a"]
