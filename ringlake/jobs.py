"""Running a run file, or one stage of it, from a program or a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from conf.reading import override

if TYPE_CHECKING:
    import os

    from pipelines.lake import RunRecord


@dataclass(frozen=True)
class StageRun:
    """A run of a stage as the ledger has it: in = out + rejected + quarantined + duplicates.

    Attributes:
        stage: Name of the stage.
        state: 'succeeded' or 'failed'.
        started_at: When it began.
        seconds: How long it took.
        unit: What is counted: 'documents', or 'sequences' of training and evaluation.
        rows_in: What went in.
        rows_out: What came out.
        rows_rejected: What a rule rejected.
        rows_quarantined: What could not be read.
        rows_duplicate: What a duplicate stayed for.
        inputs: Version of each table that it read.
        outputs: Version of each table that it wrote.
        details: What it measured besides, JSON values.
        error: Why it failed; None if it did not.
    """

    stage: str
    state: str
    started_at: datetime
    seconds: float
    unit: str
    rows_in: int
    rows_out: int
    rows_rejected: int
    rows_quarantined: int
    rows_duplicate: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    details: Mapping[str, Any]
    error: str | None

    @classmethod
    def of(cls, record: RunRecord) -> StageRun:
        """A row of the ledger."""
        return cls(**{name: getattr(record, name) for name in cls.__dataclass_fields__})

    def _repr_html_(self) -> str:
        from ringlake.display import panel

        return panel(
            f"{self.stage}: {self.state}",
            {
                "began": self.started_at.strftime("%Y-%m-%d %H:%M:%S"),
                "seconds": round(self.seconds, 1),
                f"{self.unit} in": self.rows_in,
                "out": self.rows_out,
                "rejected": self.rows_rejected,
                "quarantined": self.rows_quarantined,
                "duplicates": self.rows_duplicate,
                "read": _versions(self.inputs),
                "wrote": _versions(self.outputs),
                "error": self.error,
            },
        )


class StageRuns(tuple[StageRun, ...]):
    """Runs of stages, in order."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from ringlake.display import grid

        columns = ("stage", "state", "in", "out", "rejected", "quarantined", "duplicates", "seconds")
        rows = (
            (
                run.stage,
                run.state,
                run.rows_in,
                run.rows_out,
                run.rows_rejected,
                run.rows_quarantined,
                run.rows_duplicate,
                round(run.seconds, 1),
            )
            for run in self
        )
        return grid("Runs", columns, rows)


def _versions(tables: Mapping[str, int]) -> str | None:
    """Tables with their versions; None for none."""
    return ", ".join(f"{name} {version}" for name, version in tables.items()) or None


def run(
    run_file: str | os.PathLike[str] | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    stage: str | None = None,
    until: str | None = None,
    force: bool = False,
    incremental: bool = False,
    date: str | None = None,
    accept_changes: bool = False,
) -> StageRuns:
    """Runs the whole job of a run file, or one stage; what is up to date is not run again.

    An active Spark session is used, and stays; without one `spark.master` of the configuration is started.
    Progress goes to standard error.

    Args:
        run_file: The run file; None: only defaults and `settings`.
        settings: Values by key, over those of the run file: {"lake": "mylake", "train.steps": 100}.
        stage: Run this stage alone.
        until: Stop after this stage.
        force: Run even what is up to date.
        incremental: Add a batch of the files that are new, changed or gone since the last such run.
        date: With `incremental`: only files with this date in name or folder, as '2026-11-27'.
        accept_changes: With `incremental`: the configuration may differ from the last batch's.

    Returns:
        Of each stage, in order, the run that made what is there now: one of this call, or an earlier one
        that was up to date. With `incremental` those behind `pack`; the table `batches` tells of the batch.

    Raises:
        ValueError: What goes with `incremental` alone was given without it, or `stage` with it.
        ConfigError: A key or a value is wrong.
        RinglakeError: A stage failed, or something that it needs is missing.
        ExtensionError: What of another package it needs cannot be used.
    """
    if incremental and stage is not None:
        raise ValueError(f"stage={stage!r}: a batch is made by all stages up to pack; leave it out")
    if not incremental and (date is not None or accept_changes):
        raise ValueError("date and accept_changes go with incremental=True")
    # Imported late: a wrong key is told before Spark is loaded.
    from pipelines.console.console import Console
    from pipelines.run.execute import execute
    from pipelines.settings import load

    texts = [override(key, value) for key, value in (settings or {}).items()]
    config = load(None if run_file is None else str(run_file), texts)
    if incremental:
        from pipelines.daily.run import Daily, run_daily

        added = run_daily(
            config,
            Console(),
            Daily(date, accept_changes),
            run_file="" if run_file is None else str(run_file),
            overrides=texts,
            until=until,
            force=force,
        )
        return StageRuns(StageRun.of(record) for record in added)
    records = execute(
        config,
        Console(),
        run_file="" if run_file is None else str(run_file),
        overrides=texts,
        stage=stage,
        until=until,
        force=force,
    )
    return StageRuns(StageRun.of(record) for record in records)
