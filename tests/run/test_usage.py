"""What a stage used is measured: of processes that have ended too, and beside ledgers without it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from conf.cost import CostConfig
from pipelines.lake import Lake, Ledger, RunRecord
from pipelines.report.cost import cost
from pipelines.report.flow import newest
from pipelines.run.money import money, total, usage_of
from pipelines.run.usage import Usage, UsageMeter, left_bytes, read_by_ranks
from schemas.runs import RUNS
from tests.conftest import SmallJob

NEW = ("cpu_seconds", "gpu_seconds", "read_bytes", "written_bytes")


def record(**changes: object) -> RunRecord:
    given: dict[str, object] = {
        "run_id": "r2",
        "stage": "clean",
        "state": "succeeded",
        "run_key": "k",
        "config_hash": "h",
        "config": "{}",
        "code_version": "1",
        "started_at": datetime(2026, 1, 1, tzinfo=UTC),
        "seconds": 1.0,
        "peak_memory_mb": 1.0,
    }
    return RunRecord(**(given | changes))  # type: ignore[arg-type]


def test_the_cpu_time_of_a_child_that_has_ended_counts() -> None:
    meter = UsageMeter(None)
    code = "import time\nwhile time.process_time() < 1: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    cpu, read = meter.so_far(None)
    assert 1 <= cpu < 3
    assert read == 0


def test_a_ledger_of_an_earlier_release_is_read_and_appended_to(tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    lake.create()
    schema = pa.schema([field for field in RUNS.arrow_schema() if field.name not in NEW])
    row = {name: getattr(record(run_id="r1"), name) for name in schema.names}
    row |= {"details": "{}", "inputs": [], "outputs": []}
    write_deltalake(lake.table("runs"), pa.Table.from_pylist([row], schema=schema))
    assert usage_of(Ledger(lake).records()[0]) is None
    Ledger(lake).append(record(cpu_seconds=2.5, gpu_seconds=0.0, read_bytes=7, written_bytes=8))
    old, new = Ledger(lake).records()
    assert usage_of(old) is None
    assert usage_of(new) == Usage(2.5, 0.0, 7, 8)
    assert total([old, new]) == Usage(2.5, 0.0, 7, 8)


def test_money_is_what_has_a_price() -> None:
    used = Usage(cpu_seconds=7200, gpu_seconds=1800, read_bytes=2**31, written_bytes=2**30)
    assert money(used, CostConfig()) is None
    assert money(used, CostConfig(gpu_hour=2)) == pytest.approx(1.0)
    prices = CostConfig(cpu_hour=0.05, gpu_hour=2, gib_read=0.01, gib_written=0.02)
    assert money(used, prices) == pytest.approx(0.1 + 1 + 0.02 + 0.02)


def test_what_ranks_read_is_a_table_as_often_as_it_was_gone_through() -> None:
    assert read_by_ranks("train", 1000, {"epochs": 2.5}) == 2500
    assert read_by_ranks("evaluate", 1000, {}) == 1000
    assert read_by_ranks("pack", 1000, {}) == 0


def test_files_and_folders_that_are_left_count(tmp_path: Path) -> None:
    (tmp_path / "model" / "target").mkdir(parents=True)
    (tmp_path / "model" / "weights").write_bytes(b"x" * 100)
    (tmp_path / "model" / "target" / "more").write_bytes(b"x" * 10)
    (tmp_path / "report.html").write_bytes(b"x" * 5)
    assert left_bytes(Lake.at(tmp_path).root, {"model": "", "report.html": "", "gone": ""}) == 115


def test_every_stage_of_a_run_says_what_it_used(small_job: SmallJob) -> None:
    runs = newest(Ledger(Lake.at(small_job.lake)).records())
    assert all(run.cpu_seconds and run.cpu_seconds > 0 for run in runs.values())
    assert all(run.gpu_seconds == 0 for run in runs.values())
    assert runs["ingest"].read_bytes is not None
    assert runs["ingest"].read_bytes >= small_job.corpus.stat().st_size
    model = small_job.lake / "model" / "model.safetensors"
    assert (runs["train"].written_bytes or 0) >= model.stat().st_size
    tables = small_job.lake / "tables" / "corpus"
    assert (runs["dedup"].written_bytes or 0) >= sum(file.stat().st_size for file in tables.glob("**/part*"))
    # All of a local run is below the driver: it cannot have used more than the machine has.
    for run in runs.values():
        assert (run.cpu_seconds or 0) <= 1.1 * (psutil.cpu_count() or 1) * run.seconds + 1
    assert "CPU s, peak memory" in small_job.stderr


def test_the_report_shows_it_and_money_where_there_are_prices(small_job: SmallJob) -> None:
    page = (small_job.lake / "report.html").read_text(encoding="utf-8")
    assert "What the stages used" in page and 'id="money"' not in page
    runs = newest(Ledger(Lake.at(small_job.lake)).records())
    found = cost(runs, CostConfig(cpu_hour=3600), 2_000_000)
    assert found is not None and found.money == pytest.approx(found.used.cpu_seconds)
    made = ("ingest", "clean", "dedup", "tokenize", "pack")
    assert found.per_million_tokens == pytest.approx(sum(runs[name].cpu_seconds or 0 for name in made) / 2)
    assert found.per_step == pytest.approx((runs["train"].cpu_seconds or 0) / 24)


def test_a_lake_of_an_earlier_release_has_no_cost() -> None:
    assert cost({"clean": record()}, CostConfig(cpu_hour=1), 100) is None
