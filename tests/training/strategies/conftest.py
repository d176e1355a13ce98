"""The cases of `program`, each run when a test first asks for it: real barrier stages, ranks and servers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ringlake.base.storage import Folder
from tests.training.strategies.program import (
    CASES,
    DEATHS,
    DESCENTS,
    DONE,
    IN_ONE_LAUNCH,
    LAWS,
    RESUMED,
    STAGED,
)
from training.logs.metrics import read_metrics

ROOT = Path(__file__).resolve().parents[3]

TOGETHER = {*DESCENTS, STAGED, *(name for name, ranks in LAWS.items() if ranks == 2)}
"""What `IN_ONE_LAUNCH` gives."""


class Cases:
    """Runs cases in one Spark session and shows what they left.

    Args:
        folder: Gets a folder a case.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stderr = (folder / "stderr.txt").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.training.strategies.program", str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )

    def close(self) -> None:
        """End the session."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(120)
        self._stderr.close()

    def place(self, name: str) -> Path:
        """The folder of a case, which has run."""
        self._results(name)
        return self.folder / name

    def value(self, name: str) -> Any:
        """What rank 0 of a case returned."""
        found = self._results(name)
        assert "error" not in found[name], found[name]["error"]
        return found[name]

    def error(self, name: str) -> str:
        """The message that a case ended with."""
        return str(self._results(name)[name]["error"])

    def output(self, name: str) -> str:
        """What the driver showed."""
        return (self.place(name) / "output.txt").read_text()

    def log(self, name: str) -> list[dict[str, Any]]:
        """The lines of the log."""
        self.value(name)
        return read_metrics(Folder(str(self.folder / name / "checkpoints")))

    def curve(self, name: str, key: str) -> list[Any]:
        """A number of each step."""
        return [line[key] for line in self.log(name)]

    def _results(self, name: str) -> dict[str, Any]:
        file = self.folder / "results.json"
        found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        if name in found:
            return found
        base = name.removesuffix("-resumed")
        if name != base and RESUMED[base] in DEATHS:
            self._results(RESUMED[base])
        self._run(IN_ONE_LAUNCH if name in TOGETHER else name)
        again: dict[str, Any] = json.loads(file.read_text())
        return again

    def _run(self, name: str) -> None:
        known = {*CASES, *DEATHS, *LAWS, IN_ONE_LAUNCH, *(f"{case}-resumed" for case in RESUMED)}
        assert name in known, f"there is no case {name!r}"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()
        while (line := self._process.stdout.readline()).strip() != f"{DONE} {name}":
            assert line, (self.folder / "stderr.txt").read_text(errors="replace")[-5000:]


@pytest.fixture(scope="package")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cases]:
    """The cases; each takes 10 to 20 seconds when it is first asked for."""
    found = Cases(tmp_path_factory.mktemp("strategies"))
    yield found
    found.close()
