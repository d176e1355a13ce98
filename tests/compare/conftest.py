"""One comparison for all tests of its parts: three recipes, of which two are alike, with two seeds."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.compare.planted import write_planted, write_recipes
from tests.support.cli import ringlake

BUDGET, SEEDS = 8000, 2


@dataclass(frozen=True)
class Compared:
    """A comparison that ran through the command line.

    Attributes:
        out: Its folder; tests only read it.
        command: The command, for the same one again.
        result: What it printed with --json.
        stderr: What it showed.
    """

    out: Path
    command: list[str | Path]
    result: dict[str, Any]
    stderr: str


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """A keeps boilerplate and near-duplicates, B drops both, C is B under another name."""
    folder = tmp_path_factory.mktemp("compared")
    corpus = folder / "corpus.jsonl"
    write_planted(corpus, 300)
    keeps, drops = write_recipes(folder, corpus)
    again = folder / "<again>.yaml"
    shutil.copy(drops, again)
    out = folder / "out"
    command: list[str | Path] = ["compare", keeps, drops, again, "--budget", str(BUDGET)]
    command += ["--seeds", str(SEEDS), "--out", out, "--json", "--set", "cost.cpu_hour=0.05"]
    done = ringlake(*command)
    return Compared(out, command, json.loads(done.stdout), done.stderr)
