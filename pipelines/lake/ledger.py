"""The ledger of stage runs: the table `runs`, appended once for each run that ended."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from conf.urls import values_without_secrets
from pipelines.lake.catalog import Catalog
from pipelines.lake.paths import Lake
from pipelines.lake.query import read_sql
from pipelines.lake.unreadable import told_of
from schemas.runs import RUNS

_RUN_ID = "run_id"
"""Key of a commit of the ledger under which its log has the run's id."""


@dataclass(frozen=True)
class RunRecord:
    """One run of a stage; the columns are those of `schemas.RUNS`."""

    run_id: str
    stage: str
    state: str
    run_key: str
    config_hash: str
    config: str
    code_version: str
    started_at: datetime
    seconds: float
    peak_memory_mb: float
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    unit: str = "documents"
    rows_in: int = 0
    rows_out: int = 0
    rows_rejected: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    cpu_seconds: float | None = None
    gpu_seconds: float | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None


class Ledger:
    """Reads and appends the runs of a lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def append(self, record: RunRecord) -> None:
        """Adds one run in one commit, which either happens or does not.

        What a stage measured may name places: URLs in it lose their secrets.
        """
        row = asdict(record)
        row["details"] = json.dumps(values_without_secrets(record.details), sort_keys=True)
        Catalog(self._lake).add(RUNS, row, _RUN_ID, record.run_id)

    def records(self) -> list[RunRecord]:
        """All runs in the order in which the table's log has them.

        No clock is asked: it may have been set back between two runs, or be another machine's. Runs whose
        commit the log no longer has are older than the others.

        Raises:
            InputError: The table is damaged.
            EnvironmentProblem: It may not be read, or its file system failed.
        """
        with told_of(self._lake, RUNS.name):
            return self._records()

    def _records(self) -> list[RunRecord]:
        catalog = Catalog(self._lake)
        if not catalog.exists(RUNS.name):
            return []
        commits = catalog.commits_naming(RUNS.name, _RUN_ID)
        query = f"SELECT * FROM {RUNS.name}"  # noqa: S608 - a name of ours
        rows = read_sql(self._lake, query, {RUNS.name: catalog.info(RUNS.name).version})
        names = {item.name for item in fields(RunRecord)}
        records = [
            RunRecord(**{key: value for key, value in row.items() if key in names and key != "details"})
            for row in rows
        ]
        records = [
            RunRecord(**{**asdict(record), "details": json.loads(row["details"])})
            for record, row in zip(records, rows, strict=True)
        ]
        return sorted(records, key=lambda record: (commits.get(record.run_id, -1), record.started_at))

    def latest(self, stage: str, state: str = "succeeded") -> RunRecord | None:
        """The newest run of a stage in a state, None if there is none."""
        matching = [record for record in self.records() if record.stage == stage and record.state == state]
        return matching[-1] if matching else None
