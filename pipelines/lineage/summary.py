"""The summary of a run: a JSON file, written anew as the run goes on, so that a killed one leaves it too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from conf.urls import without_secrets
from pipelines.lake import Lake
from pipelines.lineage.place import Place
from pipelines.run.story import RunStory, StageStory
from pipelines.run.version import code_version

FORMAT = 1
"""Raised when a field changes its meaning; new fields do not raise it."""

COUNTS = ("rows_in", "rows_out", "rows_rejected", "rows_quarantined", "rows_duplicate")

USED = ("cpu_seconds", "gpu_seconds", "read_bytes", "written_bytes")


class SummaryWriter:
    """Writes the summary.

    Args:
        place: The file.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def require(self) -> None:
        """EnvironmentProblem if the file cannot be written; one that is there stays as it is."""
        self._place.require()

    def run_begins(self, run: RunStory) -> None:
        """Writes that it is running."""
        self._write(run)

    def stage_begins(self, run: RunStory, stage: StageStory) -> None:
        """Likewise, with the stage."""
        self._write(run)

    def stage_ends(self, run: RunStory, stage: StageStory) -> None:
        """Likewise, with what became of the stage."""
        self._write(run)

    def run_ends(self, run: RunStory) -> None:
        """Writes the whole."""
        self._write(run)

    def _write(self, run: RunStory) -> None:
        self._place.replace(json.dumps(summary_of(run), indent=1, ensure_ascii=False) + "\n")


def summary_of(run: RunStory) -> dict[str, Any]:
    """The summary as JSON values; docs/monitoring.md has the meaning of each field."""
    lake = Lake.at(run.lake)
    return {
        "format": FORMAT,
        "run_id": run.run_id,
        "name": run.name,
        "lake": without_secrets(run.lake),
        "ringlake": code_version(),
        "state": run.state,
        "started_at": run.started_at.isoformat(),
        "seconds": round(run.seconds, 3),
        "error": run.error,
        "stages": [_stage(lake, stage) for stage in run.stages],
    }


def _stage(lake: Lake, stage: StageStory) -> dict[str, Any]:
    record = stage.record
    counts = dict.fromkeys(COUNTS, 0) if record is None else {name: getattr(record, name) for name in COUNTS}
    return {
        "stage": stage.name,
        "state": stage.state,
        **counts,
        "unit": "documents" if record is None else record.unit,
        "started_at": None if stage.started_at is None else stage.started_at.isoformat(),
        # What it took in this run: nothing where an earlier one had done it.
        "seconds": round(stage.seconds, 3),
        "peak_memory_mb": None if record is None else round(record.peak_memory_mb, 1),
        **{name: None if record is None else getattr(record, name) for name in USED},
        "stage_run_id": None if record is None else record.run_id,
        "inputs": tables(lake, stage.reads),
        "outputs": tables(lake, {} if record is None else record.outputs),
        "error": stage.error,
    }


def tables(lake: Lake, versions: Mapping[str, int]) -> list[dict[str, Any]]:
    """Tables with their versions and places."""
    return [
        {"table": name, "version": version, "path": without_secrets(lake.table(name))}
        for name, version in versions.items()
    ]
