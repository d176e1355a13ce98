"""What becomes of a task, and how its command is made, watched and ended: without Airflow."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.errors import (
    DocumentsLostError,
    EnvironmentProblem,
    InputError,
    PermanentFailureError,
    RinglakeError,
    StageFailedError,
)
from pipelines.lake.paths import Lake
from ringlake.airflow import RETRY_EXIT_CODES, Outcome, outcome_of
from ringlake.airflow.accounts import Status, StatusError, read_status, was_done_since
from ringlake.airflow.commands import environment, stage_command
from ringlake.airflow.process import Command

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("error", [EnvironmentProblem, StageFailedError])
def test_what_may_pass_is_tried_again(error: type[RinglakeError]) -> None:
    assert outcome_of(error.exit_code) is Outcome.RETRY


@pytest.mark.parametrize("error", [RinglakeError, InputError, DocumentsLostError, PermanentFailureError])
def test_what_would_come_again_fails(error: type[RinglakeError]) -> None:
    assert outcome_of(error.exit_code) is Outcome.FAIL


def test_the_codes_are_those_of_the_readme() -> None:
    """In its table the last column says whether the same command helps."""
    rows = re.findall(r"^\| (\d+) \| .* \| ([^|]*)\|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {int(code) for code, _ in rows} >= {0, 1, 2, 3, 4, 5, 6, 7, 130}
    assert {int(code) for code, again in rows if again.strip() not in ("no", "")} == RETRY_EXIT_CODES


def test_a_signal_is_tried_again_and_0_is_done() -> None:
    assert [outcome_of(code) for code in (-9, -15, 137, 143)] == [Outcome.RETRY] * 4
    assert outcome_of(0) is Outcome.DONE
    assert outcome_of(3, skip={3}) is Outcome.SKIP
    assert outcome_of(1, retry={1}) is Outcome.RETRY
    assert outcome_of(127) is Outcome.FAIL


def test_values_reach_the_command_as_one_word_each() -> None:
    words = stage_command(
        "ingest",
        "hdfs:///lake",
        "run.yaml",
        {"ingest.inputs": ["/raw/2026-01-02/a b.jsonl", "$(id)"], "train.learning_rate": 1e-05},
        python="/opt/python",
    )
    assert " ".join(words[:9]) == "/opt/python -m ringlake ingest --lake hdfs:///lake --run run.yaml --set"
    assert words[9:] == [
        "ingest.inputs=[/raw/2026-01-02/a b.jsonl, $(id)]",
        "--set",
        "train.learning_rate=1.0e-05",
    ]
    submitted = stage_command("pack", "/lake", None, {}, python="p", submit=["spark-submit", "main.py"])
    assert submitted == ["spark-submit", "main.py", "pack", "--lake", "/lake"]


def test_a_password_is_no_word_of_a_command() -> None:
    with pytest.raises(ValueError, match="`secrets`") as caught:
        stage_command("ingest", "/lake", None, {"ingest.inputs": ["ftp://me:hush@host/a"]}, python="p")
    assert "hush" not in str(caught.value)
    stage_command("ingest", "/lake", None, {"ingest.inputs": ["https://host/a?page=2"]}, python="p")


def test_settings_of_airflow_stay_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "hush")
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "corpus")
    found = environment({"A": "1"})
    assert "AIRFLOW__CORE__FERNET_KEY" not in found
    assert (found["AIRFLOW_CTX_DAG_ID"], found["A"]) == ("corpus", "1")


def test_what_is_printed_comes_by_lines_and_the_exit_code_last() -> None:
    program = "import sys; print('one'); print('two', file=sys.stderr); print('end', end=''); sys.exit(7)"
    command = Command([sys.executable, "-u", "-c", program], dict(os.environ))
    assert list(command.lines()) == ["one", "two", "end"]
    assert command.wait() == 7


def test_a_command_is_ended_with_all_its_processes() -> None:
    """The shell passes SIGINT on to nobody, and its child ignores it."""
    child = "import signal, time; signal.signal(2, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    command = Command(["sh", "-c", f'{sys.executable} -c "{child}" & wait'], dict(os.environ))
    assert next(command.lines()) == "up"
    began = time.monotonic()
    threading.Timer(0.1, command.end, (1.0,)).start()
    assert command.wait() == -signal.SIGINT
    assert time.monotonic() - began < 60
    with pytest.raises(ProcessLookupError):
        os.killpg(command.pid, 0)


def test_a_command_heeds_an_interrupt_that_this_process_ignores() -> None:
    """As a shell has it that starts a program in the background."""
    program = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command = Command([sys.executable, "-c", program], dict(os.environ))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert list(command.lines()) == ["True"]
    assert command.wait() == 0


def test_a_lake_that_is_not_there_has_no_runs_and_a_failure_is_told() -> None:
    assert read_status([sys.executable, "-c", "raise SystemExit(3)"], os.environ) == Status()
    program = "import sys; print('no jar', file=sys.stderr); sys.exit(4)"
    with pytest.raises(StatusError, match="exit code 4: no jar") as caught:
        read_status([sys.executable, "-c", program], os.environ)
    assert caught.value.exit_code == 4


def test_accounts_are_those_of_the_newest_run_that_succeeded() -> None:
    def run(stage: str, state: str, rows: int) -> dict[str, object]:
        return {"stage": stage, "state": state, "rows_in": rows, "outputs": {"clean": 3}}

    runs = [run("clean", "succeeded", 1), run("clean", "succeeded", 2), run("clean", "failed", 3)]
    status = Status({"clean": {"rows": 9}, "tokens": {"rows": 1}}, [*runs, run("dedup", "succeeded", 4)])
    accounts = status.accounts("clean", "/lake")
    assert accounts is not None
    assert (accounts["rows_in"], accounts["table_rows"], accounts["lake"]) == (2, {"clean": 9}, "/lake")
    assert status.accounts("pack", "/lake") is None


def test_a_run_is_of_this_attempt_or_an_earlier_one() -> None:
    run = {"started_at": "2026-01-02T03:04:05+00:00"}
    assert was_done_since(run, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert not was_done_since(run, datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC))
    assert not was_done_since(run, None)


def test_the_import_loads_neither_airflow_nor_what_ringlake_needs() -> None:
    heavy = ("airflow", "pydantic", "pyspark", "torch", "yaml")
    program = f"""
import sys
import ringlake.airflow, ringlake.airflow.outcomes, ringlake.airflow.process, ringlake.airflow.accounts
import ringlake.airflow.commands, pipelines.stages
print([name for name in {heavy!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_files_of_stages_lie_where_the_lake_has_them() -> None:
    """`ringlake.airflow.assets` needs Airflow, so that its table is read as text."""
    text = (ROOT / "ringlake" / "airflow" / "assets.py").read_text(encoding="utf-8")
    lake = Lake.at("/lake")
    places = [lake.model.location, *map(str, (lake.evaluation, lake.samples, lake.report, lake.card))]
    assert re.findall(r'^    "\w+": \("([^"]+)",\),$', text, re.MULTILINE) == [
        place.removeprefix("/lake/") for place in places
    ]
