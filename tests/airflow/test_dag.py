"""DAGs of Airflow executed on a small real lake: a kill, all up to date, a wrong run file, a timeout."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.environment import python_with_airflow
from tests.support.cli import environment, status, write_run
from tests.support.corpus import write_corpus

pytestmark = [pytest.mark.rare, pytest.mark.timeout(3600)]

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("ingest", "clean")
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
    until="clean",
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


@dataclass(frozen=True)
class Ran:
    """What became of the DAGs above, in the order in which they ran.

    Attributes:
        lake: The lake of the DAG `small`.
        told: What the stage of the DAG `slow` wrote.
        killed: The process that was killed; None: there was none.
        results: What `in_airflow.py` says of each run.
        outputs: What was printed during each run.
    """

    lake: Path
    told: Path
    killed: int | None
    results: dict[str, dict[str, Any]]
    outputs: dict[str, str]


class Killer(threading.Thread):
    """Kills the process of `ringlake clean`, once, when the first file of its table is there."""

    def __init__(self, lake: Path) -> None:
        super().__init__(daemon=True)
        self.killed: int | None = None
        self._lake, self._over = lake, threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.01):
            if any((self._lake / "tables" / "clean").rglob("*.parquet")):
                # The lock of a lake has the process that holds it.
                self.killed = int((self._lake / ".lock").read_text())
                os.kill(self.killed, signal.SIGKILL)
                return

    def end(self) -> None:
        self._over.set()
        self.join()


RUNS = {
    "wrong": f"wrong={DAY}",
    "late": "late=2026-01-03",
    "slow": f"slow={DAY}",
    "first": f"small={DAY}",
    "second": f"small={DAY}",
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    python = python_with_airflow()
    if isinstance(python, str):
        pytest.skip(python)
    folder = tmp_path_factory.mktemp("airflow")
    env = write(folder)
    run(env, python, "-m", "airflow", "db", "migrate")
    killer = Killer(folder / "lake")
    killer.start()
    try:
        output = run(env, python, Path(__file__).with_name("in_airflow.py"), *RUNS.values())
    finally:
        killer.end()
    parts = re.split(r"^RESULT (.*)$", output, flags=re.MULTILINE)
    assert len(parts) == 2 * len(RUNS) + 1, output[-6000:]
    results = dict(zip(RUNS, map(json.loads, parts[1::2]), strict=True))
    outputs = dict(zip(RUNS, parts[:-1:2], strict=True))
    return Ran(folder / "lake", folder / "told", killer.killed, results, outputs)


def write(folder: Path) -> dict[str, str]:
    """Writes the DAGs and what they read, and returns the environment of Airflow."""
    raw, dags = folder / "raw", folder / "dags"
    (raw / DAY).mkdir(parents=True)
    dags.mkdir()
    write_corpus(raw / DAY / "docs.jsonl", 100)
    (folder / "slow").write_text(SLOW.format(told=folder / "told"), encoding="utf-8")
    (folder / "slow").chmod(0o755)
    places = {
        "python": sys.executable,
        "slow": str(folder / "slow"),
        "root": str(ROOT),
        "lake": str(folder / "lake"),
        "raw": str(raw),
        "run": str(write_run(folder / "run.yaml")),
        "wrong": str(write_run(folder / "wrong.yaml", clean={"profil": "none"})),
    }
    (dags / "dags.py").write_text(DAGS.format(**places), encoding="utf-8")
    return environment(
        AIRFLOW_HOME=str(folder / "home"),
        AIRFLOW__CORE__DAGS_FOLDER=str(dags),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW_CONN_STORE="generic://me:hush-of-a-connection@host",
        AIRFLOW_VAR_HUSH="hush-of-a-variable",
        PYTHONPATH=str(ROOT),
    )


def run(env: dict[str, str], *command: str | Path) -> str:
    """What a program prints, whose exit code has to be 0."""
    done = subprocess.run(
        list(map(str, command)),
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=3000,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def states(result: dict[str, Any]) -> dict[str, str]:
    return {name: task["state"] for name, task in result["tasks"].items()}


def test_a_killed_stage_is_done_by_the_next_attempt_and_nothing_is_doubled(ran: Ran) -> None:
    first, output = ran.results["first"], ran.outputs["first"]
    assert ran.killed is not None
    assert "stage clean ended with signal 9" in output
    assert states(first) == dict.fromkeys(STAGES, "success")
    assert {name: task["tries"] for name, task in first["tasks"].items()} == {"ingest": 1, "clean": 2}
    accounts = first["returned"]
    for stage in STAGES:
        row = accounts[stage]
        left = ("rows_out", "rows_rejected", "rows_quarantined", "rows_duplicate")
        assert row["rows_in"] == sum(row[name] for name in left) > 50
        assert row["stage"] == stage
    # Each stage has one run in the ledger, and its table has the rows of that run.
    lake = status(ran.lake)
    assert [(run["stage"], run["state"]) for run in lake["runs"]] == [(name, "succeeded") for name in STAGES]
    assert lake["tables"]["clean"]["rows"] == accounts["clean"]["rows_out"]
    assert accounts["clean"]["rows_in"] == accounts["ingest"]["rows_out"]
    assert f"/{DAY}/*.jsonl" in output


def test_tables_are_assets_whose_events_have_the_accounts(ran: Ran) -> None:
    events, accounts = ran.results["first"]["assets"], ran.results["first"]["returned"]["clean"]
    tables = {"sources", "documents", "quarantine", "clean", "rejected"}
    assert set(events) == {f"file://{ran.lake}/tables/{name}" for name in tables}
    event = events[f"file://{ran.lake}/tables/clean"]
    assert event["version"] == accounts["outputs"]["clean"]
    assert event["table_rows"] == event["rows_out"] == accounts["rows_out"]


def test_what_is_up_to_date_is_skipped_with_its_accounts_and_no_events(ran: Ran) -> None:
    first, second = ran.results["first"], ran.results["second"]
    assert states(second) == dict.fromkeys(STAGES, "skipped")
    assert {task["tries"] for task in second["tasks"].values()} == {1}
    assert second["returned"] == first["returned"]
    assert second["assets"] == {}


def test_a_wrong_run_file_fails_without_another_attempt(ran: Ran) -> None:
    result, output = ran.results["wrong"], ran.outputs["wrong"]
    assert result["state"] == "failed"
    assert result["tasks"]["ingest"] == {"state": "failed", "tries": 1}
    assert result["tasks"]["clean"]["state"] == "upstream_failed"
    assert "stage ingest ended with exit code 2" in output
    assert "clean.profil" in output


def test_a_day_without_input_may_be_skipped(ran: Ran) -> None:
    assert ran.results["late"]["tasks"]["ingest"] == {"state": "skipped", "tries": 1}
    assert "ended with exit code 3" in ran.outputs["late"]


def test_a_stage_whose_time_is_over_is_interrupted_and_tried_again(ran: Ran) -> None:
    assert ran.results["slow"]["tasks"]["ingest"] == {"state": "failed", "tries": 2}
    assert "AirflowTaskTimeout" in ran.outputs["slow"]
    assert ran.told.read_text().split() == ["started", "interrupted"] * 2


def test_secrets_are_printed_nowhere(ran: Ran) -> None:
    assert [name for name, output in ran.outputs.items() if "hush-of" in output] == []
