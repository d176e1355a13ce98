"""DAGs of Airflow executed on a small real lake: a kill, all up to date, a wrong run file, a timeout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.environment import python_with_airflow
from tests.support.cli import environment, status, write_run
from tests.support.corpus import write_corpus

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("ingest", "clean", "dedup")
DAY = "2026-01-02"

DAGS = """
from datetime import timedelta
from ringlake.airflow import ringlake_dag

common = dict(
    python={python!r},
    operator_args=dict(
        env={{"PYTHONPATH": {root!r}, "SPOKEN": "{{{{ ds }}}}"}},
        secrets={{"HUSH": "store.password", "HUSH_TOO": "variable:hush"}},
        retries=2,
        retry_delay=timedelta(seconds=1),
        execution_timeout=timedelta(minutes=20),
    ),
)
small = ringlake_dag(
    "small",
    run_file={run!r},
    lake={lake!r},
    until="dedup",
    inputs=[{raw!r} + "/{{{{ data_interval_start | ds }}}}/*.jsonl"],
    schedule="@daily",
    stage_args={{"clean": {{"pool": "default_pool", "pool_slots": 1}}}},
    **common,
)
wrong = ringlake_dag("wrong", run_file={wrong!r}, lake={lake!r}, stages=["ingest", "clean"], **common)
late = ringlake_dag(
    "late",
    run_file={run!r},
    lake={lake!r} + "-{{{{ ds }}}}",
    stages=["ingest"],
    inputs=[{raw!r} + "/{{{{ ds }}}}/*.jsonl"],
    **{{**common, "operator_args": {{**common["operator_args"], "skip_exit_codes": [3]}}}},
)
slow = ringlake_dag(
    "slow",
    run_file={run!r},
    lake={lake!r} + "-slow",
    python={slow!r},
    stages=["ingest"],
    operator_args=dict(retries=1, retry_delay=timedelta(seconds=1), execution_timeout=timedelta(seconds=10)),
)
"""


SLOW = """#!/bin/sh
[ "$3" = status ] && exit 3
trap 'echo interrupted >> {told}; exit 130' INT
echo started >> {told}
sleep 600 & wait
"""
"""In place of a Python: a lake that is not there, and a stage that ends only when it is interrupted."""


class Airflow:
    """A home of Airflow with the DAGs above."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.lake, self.told, self._python = folder / "lake", folder / "told", python
        raw, dags = folder / "raw", folder / "dags"
        (raw / DAY).mkdir(parents=True)
        dags.mkdir()
        write_corpus(raw / DAY / "docs.jsonl", 300)
        (folder / "slow").write_text(SLOW.format(told=self.told), encoding="utf-8")
        (folder / "slow").chmod(0o755)
        places = {
            "slow": str(folder / "slow"),
            "python": sys.executable,
            "root": str(ROOT),
            "lake": str(self.lake),
            "raw": str(raw),
            "run": str(write_run(folder / "run.yaml")),
            "wrong": str(write_run(folder / "wrong.yaml", clean={"profil": "none"})),
        }
        (dags / "dags.py").write_text(DAGS.format(**places), encoding="utf-8")
        self._env = environment(
            AIRFLOW_HOME=str(folder / "home"),
            AIRFLOW__CORE__DAGS_FOLDER=str(dags),
            AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW_CONN_STORE="generic://me:hush-of-a-connection@host",
            AIRFLOW_VAR_HUSH="hush-of-a-variable",
            PYTHONPATH=str(ROOT),
        )
        self._run("-m", "airflow", "db", "migrate")

    def test(self, dag: str, *dates: str) -> tuple[list[dict[str, Any]], str]:
        """What became of `dag.test()` for each date, and all that was printed."""
        output = self._run(str(Path(__file__).with_name("in_airflow.py")), dag, *dates)
        lines = [line.removeprefix("RESULT ") for line in output.splitlines() if line.startswith("RESULT ")]
        assert len(lines) == len(dates), output[-6000:]
        return [json.loads(line) for line in lines], output

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._python), *arguments],
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=3000,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    python = python_with_airflow()
    if isinstance(python, str):
        pytest.skip(python)
    yield Airflow(python, tmp_path_factory.mktemp("airflow"))


class Killer(threading.Thread):
    """Kills the process of `ringlake clean`, once, when the first file of its table is there."""

    def __init__(self, lake: Path) -> None:
        super().__init__(daemon=True)
        self.killed: int | None = None
        self._lake, self._stop = lake, threading.Event()

    def run(self) -> None:
        while not self._stop.wait(0.01):
            if any((self._lake / "tables" / "clean").rglob("*.parquet")):
                # The lock of a lake has the process that holds it.
                self.killed = int((self._lake / ".lock").read_text())
                os.kill(self.killed, signal.SIGKILL)
                return

    def end(self) -> None:
        self._stop.set()
        self.join()


@pytest.mark.rare
@pytest.mark.timeout(3600)
def test_a_dag_survives_a_kill_and_is_skipped_when_up_to_date(airflow: Airflow) -> None:
    killer = Killer(airflow.lake)
    killer.start()
    began = time.time()
    try:
        (first, second), output = airflow.test("small", DAY, DAY)
    finally:
        killer.end()

    assert killer.killed is not None
    assert first["state"] == "success"
    assert {name: task["state"] for name, task in first["tasks"].items()} == dict.fromkeys(STAGES, "success")
    assert {name: task["tries"] for name, task in first["tasks"].items()} == {
        "ingest": 1,
        "clean": 2,
        "dedup": 1,
    }
    assert "stage clean ended with signal 9" in output
    accounts = first["returned"]
    for stage in STAGES:
        row = accounts[stage]
        left = ("rows_out", "rows_rejected", "rows_quarantined", "rows_duplicate")
        assert row["rows_in"] == sum(row[name] for name in left) > 100
        assert row["stage"] == stage

    # Nothing doubled: each stage has one run in the ledger, and its table has the rows of that run.
    lake = status(airflow.lake)
    assert [(run["stage"], run["state"]) for run in lake["runs"]] == [(name, "succeeded") for name in STAGES]
    assert lake["tables"]["clean"]["rows"] == accounts["clean"]["rows_out"]
    assert accounts["clean"]["rows_in"] == accounts["ingest"]["rows_out"]
    assert accounts["dedup"]["rows_in"] == accounts["clean"]["rows_out"]

    tables = {"sources", "documents", "quarantine", "clean", "rejected", "corpus", "duplicates"}
    assert set(first["assets"]) == {f"file://{airflow.lake}/tables/{name}" for name in tables}
    event = first["assets"][f"file://{airflow.lake}/tables/clean"]
    assert event["version"] == lake["tables"]["clean"]["version"]
    assert event["table_rows"] == event["rows_out"] == accounts["clean"]["rows_out"]

    assert {name: task["state"] for name, task in second["tasks"].items()} == dict.fromkeys(STAGES, "skipped")
    assert {task["tries"] for task in second["tasks"].values()} == {1}
    assert second["returned"] == accounts
    assert second["assets"] == {}
    assert f"/{DAY}/*.jsonl" in output
    assert "hush-of" not in output
    assert time.time() - began < 3000


@pytest.mark.rare
@pytest.mark.timeout(1800)
def test_a_wrong_run_file_fails_without_another_attempt(airflow: Airflow) -> None:
    (result,), output = airflow.test("wrong", DAY)
    assert result["state"] == "failed"
    assert result["tasks"]["ingest"] == {"state": "failed", "tries": 1}
    assert result["tasks"]["clean"]["state"] == "upstream_failed"
    assert "stage ingest ended with exit code 2" in output
    assert "clean.profil" in output


@pytest.mark.rare
@pytest.mark.timeout(1800)
def test_a_day_without_input_may_be_skipped(airflow: Airflow) -> None:
    (result,), output = airflow.test("late", "2026-01-03")
    assert result["tasks"]["ingest"] == {"state": "skipped", "tries": 1}
    assert "2026-01-03" in output


@pytest.mark.rare
@pytest.mark.timeout(1800)
def test_a_stage_whose_time_is_over_is_interrupted_and_tried_again(airflow: Airflow) -> None:
    (result,), output = airflow.test("slow", DAY)
    assert result["tasks"]["ingest"] == {"state": "failed", "tries": 2}
    assert "AirflowTaskTimeout" in output
    assert airflow.told.read_text().split() == ["started", "interrupted"] * 2
