"""What the ledger of a lake says of a stage, read by `ringlake status --json`. Needs no Airflow."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

NO_LAKE = 3
"""Exit code of `ringlake status` where there is no lake yet."""

STATUS_SECONDS = 600.0
"""How long `ringlake status` may take; a lake of a hundred tables on HDFS takes some seconds."""


class StatusError(Exception):
    """`ringlake status` failed.

    Attributes:
        exit_code: Its exit code.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Status:
    """What a lake holds.

    Attributes:
        tables: Version, rows and bytes of each table.
        runs: The ledger, oldest run first.
    """

    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    runs: Sequence[Mapping[str, Any]] = ()

    def of(self, stage: str) -> list[Mapping[str, Any]]:
        """The runs of a stage, oldest first."""
        return [run for run in self.runs if run["stage"] == stage]

    def newest(self, stage: str) -> Mapping[str, Any] | None:
        """The newest successful run of a stage; None if there is none."""
        done = [run for run in self.of(stage) if run["state"] == "succeeded"]
        return done[-1] if done else None

    def accounts(self, stage: str, lake: str) -> dict[str, Any] | None:
        """The newest successful run of a stage as plain values for XCom; None if there is none."""
        run = self.newest(stage)
        if run is None:
            return None
        rows = {name: self.tables[name]["rows"] for name in run["outputs"] if name in self.tables}
        return {"lake": lake, **run, "table_rows": rows}


def read_status(command: Sequence[str], env: Mapping[str, str], cwd: str | None = None) -> Status:
    """What a lake holds now; nothing where there is no lake yet.

    Args:
        command: See `status_command`.
        env: All of its environment.
        cwd: Its working folder.

    Raises:
        StatusError: The command failed.
        OSError: The program cannot be started.
        subprocess.TimeoutExpired: It takes longer than `STATUS_SECONDS`.
    """
    done = subprocess.run(
        list(command),
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=STATUS_SECONDS,
        check=False,
    )
    if done.returncode == NO_LAKE:
        return Status()
    if done.returncode:
        said = done.stderr.decode("utf-8", errors="replace").strip().splitlines()
        reason = said[-1] if said else "it printed nothing"
        raise StatusError(
            f"`ringlake status` ended with exit code {done.returncode}: {reason}", done.returncode
        )
    value = json.loads(done.stdout)
    return Status(value["tables"], value["runs"])


def was_done_since(run: Mapping[str, Any], begin: datetime | None) -> bool:
    """Whether a run of the ledger began after a moment, which has a time zone; None: no."""
    return begin is not None and datetime.fromisoformat(run["started_at"]) >= begin
