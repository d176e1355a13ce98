"""What the ledger appended is what it reads back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deltalake import DeltaTable

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


def test_round_trip_in_the_order_of_the_log(tmp_path: Path) -> None:
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
    assert ledger.records() == [later, RECORD]
    assert ledger.latest("clean") == RECORD
    assert ledger.latest("clean", "failed") == later
    assert ledger.latest("dedup") is None


def test_the_newest_run_is_the_one_appended_last_though_the_clock_was_set_back(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    lake.create()
    ledger = Ledger(lake)
    for number in range(4):
        began = RECORD.started_at - timedelta(days=number)
        ledger.append(replace(RECORD, run_id=str(number), started_at=began))
    assert [run.run_id for run in ledger.records()] == ["0", "1", "2", "3"]
    # The order is not that of the files either.
    DeltaTable(lake.table("runs")).optimize.compact()
    newest = ledger.latest("clean")
    assert newest is not None
    assert newest.run_id == "3"


def test_details_are_stored_without_the_secrets_of_urls(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    lake.create()
    ledger = Ledger(lake)
    ledger.append(replace(RECORD, details={"place": ["s3://me:secret@bucket/lake/metrics.jsonl"]}))
    assert ledger.records()[0].details == {"place": ["s3://bucket/lake/metrics.jsonl"]}
