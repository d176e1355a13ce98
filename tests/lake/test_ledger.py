"""What the ledger appended is what it reads back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines.lake import Lake, Ledger, RunRecord

RECORD = RunRecord(
    run_id="1",
    stage="clean",
    state="succeeded",
    run_key="k",
    config_hash="h",
    config="{}",
    code_version="c",
    started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    seconds=1.5,
    peak_memory_mb=100.0,
    inputs={"documents": 3},
    outputs={"clean": 4, "rejected": 2},
    rows_in=10,
    rows_out=7,
    rows_rejected=3,
    details={"nested": [1, {"a": None}]},
)


def test_round_trip_in_order_of_time(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    lake.create()
    ledger = Ledger(lake)
    assert ledger.records() == []
    assert ledger.latest("clean") is None
    later = replace(
        RECORD, run_id="2", started_at=RECORD.started_at + timedelta(hours=1), state="failed", error="why"
    )
    ledger.append(later)
    ledger.append(RECORD)
    assert ledger.records() == [RECORD, later]
    assert ledger.latest("clean") == RECORD
    assert ledger.latest("clean", "failed") == later
    assert ledger.latest("dedup") is None
