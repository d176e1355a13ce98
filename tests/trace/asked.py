"""The commands in this process: what they print, and the error that they end with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from pipelines.cli.main import app


@dataclass(frozen=True)
class Asked:
    """What a command did.

    Attributes:
        shown: Its standard output.
        told: Its standard error.
        error: What it raised; None if it ended well.
    """

    shown: str
    told: str
    error: BaseException | None

    @property
    def json(self) -> dict[str, Any]:
        """Its output as JSON."""
        assert self.error is None, self.error
        found = json.loads(self.shown)
        assert isinstance(found, dict)
        return found


def ask(*args: str | Path) -> Asked:
    """Runs a command; imports and compiled kernels are those of this process."""
    done = CliRunner().invoke(app, [*map(str, args)])
    return Asked(done.stdout, done.stderr, done.exception)
