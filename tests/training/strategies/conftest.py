"""All cases of `program`, run once: real barrier stages with real ranks and servers."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ringlake.base.storage import Folder
from tests.training.strategies.program import CASES, DEATHS, IN_ONE_LAUNCH, LAWS, RESUMED
from training.logs.metrics import read_metrics

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Cases:
    """What the program left.

    Attributes:
        folder: A folder a case.
    """

    folder: Path

    def value(self, name: str) -> Any:
        """What rank 0 of a case returned."""
        results = json.loads((self.folder / "results.json").read_text())
        assert "error" not in results[name], results[name]["error"]
        return results[name]

    def error(self, name: str) -> str:
        """The message that a case ended with."""
        return str(json.loads((self.folder / "results.json").read_text())[name]["error"])

    def output(self, name: str) -> str:
        """What the driver showed."""
        return (self.folder / name / "output.txt").read_text()

    def log(self, name: str) -> list[dict[str, Any]]:
        """The lines of the log."""
        self.value(name)
        return read_metrics(Folder(str(self.folder / name / "checkpoints")))

    def curve(self, name: str, key: str) -> list[Any]:
        """A number of each step."""
        return [line[key] for line in self.log(name)]


@pytest.fixture(scope="package")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Runs every case; this takes minutes."""
    folder = tmp_path_factory.mktemp("strategies")
    laws = [name for name, ranks in LAWS.items() if ranks != 2]
    names = [*CASES, *DEATHS, *(f"{name}-resumed" for name in RESUMED), IN_ONE_LAUNCH, *laws]
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.strategies.program", str(folder), *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return Cases(folder)
