"""The way of the data in numbers: the funnel of documents, bytes and tokens, the accounts of the stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.added import every_stage
from pipelines.lake import RunRecord
from pipelines.report.content import Summaries
from pipelines.report.facts import (
    Contamination,
    Duplicates,
    FunnelStep,
    Loss,
    Repeats,
    StageAccounts,
    Tokens,
)
from pipelines.report.summary import Summary, Tables
from pipelines.run.record import EXTENSIONS
from pipelines.stages import BY_NAME


def newest(records: Sequence[RunRecord], state: str = "succeeded") -> dict[str, RunRecord]:
    """The newest run of each stage in a state; the records come oldest first."""
    return {record.stage: record for record in records if record.state == state}


def stage_runs(records: Sequence[RunRecord], versions: Mapping[str, int]) -> tuple[StageAccounts, ...]:
    """The newest successful run of each stage, and what has happened to its inputs since.

    Args:
        records: The ledger, oldest first.
        versions: Current version of every table.
    """
    succeeded, failed = newest(records), newest(records, "failed")
    place = {record.run_id: number for number, record in enumerate(records)}
    later = {
        stage: run
        for stage, run in failed.items()
        if stage in succeeded and place[run.run_id] > place[succeeded[stage].run_id]
    }
    return tuple(
        _stage_run(succeeded[stage.name], later.get(stage.name), versions)
        for stage in every_stage()
        if stage.is_reported and stage.name in succeeded
    )


def _stage_run(run: RunRecord, failure: RunRecord | None, versions: Mapping[str, int]) -> StageAccounts:
    stale = tuple(
        f"read {name} version {version}, which is at version {versions.get(name, 'none')} now"
        for name, version in sorted(run.inputs.items())
        if versions.get(name) != version
    )
    return StageAccounts(
        stage=run.stage,
        unit=run.unit,
        rows_in=run.rows_in,
        rows_out=run.rows_out,
        rejected=run.rows_rejected,
        quarantined=run.rows_quarantined,
        duplicate=run.rows_duplicate,
        seconds=run.seconds,
        peak_memory_mb=run.peak_memory_mb,
        started_at=run.started_at,
        inputs=run.inputs,
        outputs=run.outputs,
        run_key=run.run_key,
        config_hash=run.config_hash,
        code_version=run.code_version,
        stale=stale,
        failed_since=failure.error if failure else None,
        extensions=tuple(
            f"{found['name']} of {found['distribution']} {found['version']}"
            for found in run.details.get(EXTENSIONS, ())
        ),
    )


def failures(records: Sequence[RunRecord]) -> tuple[tuple[str, str], ...]:
    """Stages that have failed and never succeeded, with the newest error."""
    succeeded = newest(records)
    return tuple(
        (stage, run.error or "") for stage, run in newest(records, "failed").items() if stage not in succeeded
    )


def steps(
    tables: Tables,
    sums: Summaries,
    runs: Sequence[StageAccounts],
    duplicates: Duplicates | None,
    tokens: Tokens | None,
    contamination: Contamination | None = None,
    repeats: Repeats | None = None,
) -> tuple[FunnelStep, ...]:
    """The funnel, as far as the lake has come."""
    by_stage = {run.stage: run for run in runs}
    result: list[FunnelStep] = []
    if "documents" in sums:
        found = by_stage["ingest"].rows_in if "ingest" in by_stage else None
        if found is not None:
            result.append(FunnelStep("records", "found in the input files", found))
        unread = by_stage["ingest"].quarantined if "ingest" in by_stage else 0
        lost = _losses("quarantined", unread, None)
        result.append(_step("documents", "could be read", sums["documents"], lost))
    if "clean" in sums:
        rejected = sums.get("rejected")
        lost = _losses("rejected", rejected.rows, rejected.sums["num_bytes"]) if rejected else ()
        result.append(_step("clean", "passed every quality rule", sums["clean"], lost))
    if "corpus" in sums and duplicates is not None:
        removed = sum(method.num_bytes for method in duplicates.methods)
        lost = _losses("duplicates", duplicates.total, removed)
        if repeats is not None:
            lost += _losses("only repeats", *repeats.emptied)
        if contamination is not None:
            lost += _losses("contaminated", contamination.documents, contamination.num_bytes)
        result.append(_step("corpus", "are unlike all others", sums["corpus"], lost))
    if tokens is not None:
        rows = tables.rows("tokens")
        result.append(FunnelStep("tokens", "are encoded", rows, tokens.num_bytes, tokens.total))
        if tokens.splits and "pack" in by_stage:
            packed = sum(split.tokens for split in tokens.splits)
            documents = by_stage["pack"].rows_out
            result.append(
                FunnelStep(
                    "sequences", "are packed, an end-of-document token after each", documents, None, packed
                )
            )
    for run in runs:
        if run.stage not in BY_NAME and run.unit == "documents" and run.outputs:
            _insert(result, run)
    return tuple(result)


def _insert(steps: list[FunnelStep], run: StageAccounts) -> None:
    """Puts what the stage of another package made behind the step of what it read."""
    place = max(
        (number for number, step in enumerate(steps, 1) if step.name in run.inputs), default=len(steps)
    )
    lost = _losses("rejected", run.rejected, None) + _losses("duplicates", run.duplicate, None)
    steps.insert(
        place, FunnelStep(next(iter(run.outputs)), f"come out of {run.stage}", run.rows_out, lost=lost)
    )


def _step(name: str, meaning: str, summary: Summary, lost: tuple[Loss, ...]) -> FunnelStep:
    return FunnelStep(name, meaning, summary.rows, summary.sums["num_bytes"], None, lost)


def _losses(label: str, documents: int, num_bytes: int | None) -> tuple[Loss, ...]:
    return (Loss(label, documents, num_bytes),) if documents else ()
