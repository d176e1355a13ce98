"""The benchmark of the main job reads a lake's ledger and tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.main_job import measure
from pipelines.lake import Lake
from tests.report import lakes


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return lakes.trained(tmp_path_factory.mktemp("bench") / "lake")


def test_rates_follow_from_ledger_and_tables(lake: Lake) -> None:
    by_stage = {stage.stage: stage for stage in measure(lake)}
    # The stages took 10, 11, ... 17 seconds.
    assert [stage.seconds for stage in by_stage.values()] == [float(10 + n) for n in range(8)]
    assert sum(stage.share for stage in by_stage.values()) == pytest.approx(1)
    text = sum(row["num_bytes"] for row in lakes.documents())
    kept = sum(row["num_bytes"] for row in lakes.documents()[12:])
    assert by_stage["clean"].num_bytes == text
    assert by_stage["clean"].rates["mb_per_second"] == pytest.approx(text / 1e6 / 11)
    assert by_stage["clean"].rates["rows_per_second"] == pytest.approx(40 / 11)
    assert by_stage["dedup"].num_bytes == kept
    # 20 documents of 3 tokens in 13 seconds.
    assert by_stage["tokenize"].rates["tokens_per_second"] == pytest.approx(60 / 13)
    assert by_stage["generate"].rates["rows_per_second"] is None
    assert by_stage["train"].num_bytes is None


def test_an_older_version_of_a_table_is_measured_where_a_run_used_it(tmp_path: Path) -> None:
    lake = lakes.packed(tmp_path)
    before = {stage.stage: stage.num_bytes for stage in measure(lake)}
    lakes.put(lake, "documents", lakes.documents()[:1])
    assert {stage.stage: stage.num_bytes for stage in measure(lake)} == before


def test_json_and_table(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["main_job", "--lake", lake.location, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["total_seconds"] == 108
    assert value["machine"]["cores"] >= 1
    assert value["code_versions"] == ["0.1.0+src.abc"]
    assert main(["--lake", lake.location]) == 0
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines()[2:10]] == [
        stage["stage"] for stage in value["stages"]
    ]


def test_what_is_no_lake_or_no_benchmark_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lake", str(tmp_path / "none")]) == 3
    assert "there is no lake" in capsys.readouterr().err
    assert main(["latency"]) == 2
    assert "main_job" in capsys.readouterr().err
