"""What the ledger and the console say of a stage that has ended."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.errors import EnvironmentProblem, RinglakeError
from pipelines.lake import RunRecord
from pipelines.run.accounting import Tally
from pipelines.run.artefacts import NOTED
from pipelines.run.carry_out import Outcome
from pipelines.run.failure import explain
from pipelines.run.keys import shown_config
from pipelines.run.prepare import Prepared
from pipelines.run.usage import GPU_SECONDS

EXTENSIONS = "extensions"
"""Under this key of a run's details the ledger has what of other packages it used."""


@dataclass
class Ended:
    """A stage that has ended, filled in as far as it came.

    Attributes:
        started_at: When it began.
        outcome: What it did; None: it failed before it was done.
        failure: What was raised; None: it succeeded.
        told: The failure as the user reads it; None where there is none, or it is an interrupt.
        left: Identity of what it left besides tables.
        seconds: How long it took, all in all.
        peak_memory_mb: The most that the driver's process tree held.
        shuffled_bytes: What its shuffles wrote.
        cpu_seconds: CPU time that it took, see `pipelines.run.usage.Usage`.
        read_bytes: What it read.
        written_bytes: What it left.
        spark_start_seconds: What the start of Spark took of its time; 0: Spark had been started before.
    """

    started_at: datetime
    outcome: Outcome | None = None
    failure: BaseException | None = None
    told: RinglakeError | None = None
    left: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    shuffled_bytes: int = 0
    cpu_seconds: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0
    spark_start_seconds: float = 0.0

    @property
    def gpu_seconds(self) -> float:
        """Time for which its ranks held a GPU, all together."""
        return 0.0 if self.outcome is None else float(self.outcome.details.get(GPU_SECONDS) or 0.0)


def record_of(prepared: Prepared, ended: Ended) -> RunRecord:
    """The row of the ledger."""
    provenance, outcome = prepared.given.provenance, ended.outcome
    tally = Tally(0, 0) if outcome is None else outcome.tally
    return RunRecord(
        run_id=uuid.uuid4().hex,
        stage=provenance.stage,
        state="failed" if ended.failure is not None else "succeeded",
        run_key=provenance.run_key,
        config_hash=provenance.config_hash,
        config=shown_config(prepared.config),
        code_version=provenance.code_version,
        started_at=ended.started_at,
        seconds=round(ended.seconds, 3),
        peak_memory_mb=round(ended.peak_memory_mb, 1),
        inputs=dict(provenance.inputs),
        outputs={} if outcome is None else dict(outcome.outputs),
        unit=tally.unit,
        rows_in=tally.rows_in,
        rows_out=tally.rows_out,
        rows_rejected=tally.rows_rejected,
        rows_quarantined=tally.rows_quarantined,
        rows_duplicate=tally.rows_duplicate,
        details=_details(ended) | _extensions(prepared),
        error=_reason(ended),
        cpu_seconds=ended.cpu_seconds,
        gpu_seconds=ended.gpu_seconds,
        read_bytes=ended.read_bytes,
        written_bytes=ended.written_bytes,
    )


def summary(ended: Ended) -> str:
    """The line for people of a stage that succeeded: rows, time, rate, memory, shuffles."""
    assert ended.outcome is not None
    tally, seconds = ended.outcome.tally, ended.seconds
    counts = f"{tally} {tally.unit}; " if tally.rows_in else ""
    rate = f", {tally.rows_in / seconds:,.0f} {tally.unit}/s" if seconds > 0 and tally.rows_in else ""
    use = f", {ended.cpu_seconds:.1f} CPU s"
    if ended.gpu_seconds:
        use += f", {ended.gpu_seconds:.1f} GPU s"
    use += f", peak memory {ended.peak_memory_mb / 1024:.1f} GiB"
    use += f", {_mebibytes(ended.read_bytes)} read, {_mebibytes(ended.written_bytes)} written"
    if ended.shuffled_bytes >= 2**20:
        use += f", {ended.shuffled_bytes / 2**20:,.0f} MiB shuffled"
    return f"{counts}{seconds:.1f} s{rate}{use}"


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"


def _reason(ended: Ended) -> str | None:
    """What the ledger says of a failure: of a shortage what the user reads, else the cause in short."""
    if ended.failure is None:
        return None
    return str(ended.told) if isinstance(ended.told, EnvironmentProblem) else explain(ended.failure)


def _extensions(prepared: Prepared) -> dict[str, Any]:
    """What of other packages a run used, for its details; nothing where it used none."""
    used = [extension.described() for extension in prepared.extensions]
    return {EXTENSIONS: used} if used else {}


def _details(ended: Ended) -> dict[str, Any]:
    if ended.outcome is None:
        return {}
    details: dict[str, Any] = dict(ended.outcome.details)
    if ended.failure is None:
        details["shuffled_bytes"] = ended.shuffled_bytes
    if ended.spark_start_seconds:
        details["spark_start_seconds"] = ended.spark_start_seconds
    return details | ({NOTED: ended.left} if ended.left else {})
