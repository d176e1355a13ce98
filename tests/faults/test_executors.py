"""An executor is killed in every stage of a whole job: the tables and the model are those of a calm run."""

from __future__ import annotations

import random
import re
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import SmallJob
from tests.support.cli import command, environment, status
from tests.support.tables import DATA_TABLES, content_hash

pytestmark = [pytest.mark.slow, pytest.mark.rare, pytest.mark.timeout(1800)]

STAGES = ("ingest", "clean", "dedup", "tokenize", "pack", "train", "evaluate")
"""Stages that give tasks to executors."""

_BEGINS = re.compile(r"^\[\d+/\d+\] (\w+):")
_STEP = re.compile(r"step 1\d/24")


def executors(driver: int) -> list[psutil.Process]:
    """The executors' JVMs below a command's process."""
    found = []
    for process in psutil.Process(driver).children(recursive=True):
        try:
            if "org.apache.spark.executor.CoarseGrainedExecutorBackend" in process.cmdline():
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def kill_one(driver: int, draw: random.Random) -> int:
    """Kills an executor that runs Python tasks, or any once none has done so for long; its process number."""
    deadline = time.monotonic() + 60
    while True:
        alive = executors(driver)
        at_work = [one for one in alive if any(child.is_running() for child in one.children())]
        if at_work or (alive and time.monotonic() > deadline):
            one = draw.choice(at_work or alive)
            one.kill()
            return one.pid
        assert time.monotonic() < deadline + 30, "no executor came"
        time.sleep(0.05)


def test_an_executor_killed_in_every_stage_changes_nothing(small_job: SmallJob, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    settings = ["spark.master=local-cluster[2,1,1024]", "train.max_restarts=4", f"lake={lake}"]
    args = command("run", small_job.run_file, *(word for value in settings for word in ("--set", value)))
    process = subprocess.Popen(
        args,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=Path(__file__).resolve().parents[2],
    )
    assert process.stderr is not None
    draw = random.Random(11)
    killed: dict[str, int] = {}
    lines: list[str] = []
    try:
        for line in process.stderr:
            lines.append(line)
            begins = _BEGINS.match(line)
            stage = begins[1] if begins else ""
            # In training the ranks must be at work: what is lost then is more than a task.
            if stage in STAGES and stage != "train":
                killed[stage] = kill_one(process.pid, draw)
            elif _STEP.search(line) and "train" not in killed:
                killed["train"] = kill_one(process.pid, draw)
        code = process.wait(timeout=120)
    finally:
        process.kill()
    told = "".join(lines)
    assert code == 0, told[-6000:]
    assert set(killed) == set(STAGES)
    assert len(set(killed.values())) == len(STAGES)
    for table in DATA_TABLES:
        assert content_hash(lake, table) == content_hash(small_job.lake, table), table
    assert {entry["state"] for entry in status(lake)["runs"]} == {"succeeded"}
    weights = [place / "model" / "model.safetensors" for place in (lake, small_job.lake)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
