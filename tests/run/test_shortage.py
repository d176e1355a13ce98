"""What runs out in a real run: one line names process, stage, amount, key and log, and the run goes on later.

Each case is a command of its own, for a session whose JVM is gone serves nobody else.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.cli import command, environment, ringlake, status
from tests.support.disk import small_disk

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def large_document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with one document of 96 MiB, larger than what a small process can hold several times."""
    path = tmp_path_factory.mktemp("large") / "one.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.write('{"text": "')
        for _ in range(96):
            file.write("words " * (2**20 // 6))
        file.write('"}\n')
    return path


def ingest(corpus: Path, lake: Path, *settings: str) -> list[str | Path]:
    values = ("spark.master=local[2]", "ingest.max_document_bytes=200000000", *settings)
    sets = [word for value in values for word in ("--set", value)]
    return ["ingest", "--input", corpus, "--lake", lake, *sets]


def told(stderr: str, lake: Path) -> str:
    """The one error line, which the ledger must have too; nothing else on the screen is an error's."""
    assert "Traceback" not in stderr
    lines = [line for line in stderr.splitlines() if line.startswith("ringlake: error: ")]
    assert len(lines) == 1, stderr
    line = lines[0].removeprefix("ringlake: error: ")
    assert line.startswith("ingest: ")
    assert f"Log: {lake / 'logs' / 'spark.log'}" in line
    return line


def failures(lake: Path) -> list[Any]:
    return [run["error"] for run in status(lake)["runs"] if run["state"] == "failed"]


@pytest.mark.rare
def test_the_drivers_jvm_dies_for_want_of_heap(large_document: Path, tmp_path: Path) -> None:
    done = ringlake(*ingest(large_document, tmp_path, "spark.driver_memory=480m"), code=4)
    line = told(done.stderr, tmp_path)
    assert "the JVM of Spark's driver ran out of memory" in line
    assert "480m" in line
    assert "raise spark.driver_memory" in line
    assert failures(tmp_path) == [line]
    # It may have died before or after it wrote the document; the same command with more goes on, once.
    ringlake(*ingest(large_document, tmp_path))
    run = status(tmp_path)["runs"][-1]
    assert (run["state"], run["rows_in"], run["rows_out"]) == ("succeeded", 1, 1)


def test_a_python_worker_gets_no_more_memory(large_document: Path, tmp_path: Path) -> None:
    done = ringlake(*ingest(large_document, tmp_path, "spark.worker_memory=700m"), code=4)
    line = told(done.stderr, tmp_path)
    assert "a Python worker ran out of memory" in line
    assert "while the input file 'one.jsonl' was read" in line
    assert "700 MiB" in line
    assert "raise spark.worker_memory" in line
    assert failures(tmp_path) == [line]


@pytest.mark.rare
def test_a_python_worker_is_killed(large_document: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    process = subprocess.Popen(
        command(*ingest(large_document, lake)),
        cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        killed = 0
        while process.poll() is None and not killed:
            killed = kill_workers(process.pid)
            time.sleep(0.02)
        _, stderr = process.communicate(timeout=300)
    finally:
        process.kill()
    assert killed
    assert process.returncode == 4, stderr
    line = told(stderr, lake)
    assert "a Python worker was killed" in line
    assert "spark.master=local[N]" in line
    assert failures(lake) == [line]


def kill_workers(pid: int) -> int:
    """Kills the Python workers of a command's Spark as the kernel would; how many there were."""
    killed = 0
    try:
        for child in psutil.Process(pid).children(recursive=True):
            parent = child.parent()
            # The daemon's parent is the JVM, a worker's parent is the daemon.
            if parent is not None and "pyspark.daemon" in parent.cmdline():
                child.kill()
                killed += 1
    except psutil.NoSuchProcess:
        return killed
    return killed


@pytest.mark.rare
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting a file system needs root")
def test_a_full_disk_and_the_same_command_when_there_is_room(tmp_path: Path) -> None:
    draw = random.Random(5)
    corpus = tmp_path / "corpus.jsonl"
    texts = [{"text": draw.randbytes(10_000).hex()} for _ in range(400)]
    corpus.write_text("\n".join(map(json.dumps, texts)), encoding="utf-8")
    lake = tmp_path / "lake"
    lake.mkdir()
    with small_disk(lake, "1m"):
        done = ringlake(*ingest(corpus, lake), code=4)
        line = told(done.stderr, lake)
        assert "a disk is full (No space left on device" in line
        assert str(lake) in line.partition(" Log: ")[0]
        # Spark cannot write its own log either, which must not fill the screen.
        assert "\tat org.apache" not in done.stderr
        subprocess.run(["mount", "-o", "remount,size=100m", lake], check=True)
        ringlake(*ingest(corpus, lake))
        run = status(lake)["runs"][-1]
        assert (run["state"], run["rows_in"], run["rows_out"]) == ("succeeded", 400, 400)
