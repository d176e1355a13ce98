"""A reader of the output that goes (`ringlake train 2>&1 | head -1`) ends the command with the true cause."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.conftest import SmallJob
from tests.support.cli import command, environment, status


@pytest.mark.slow
@pytest.mark.parametrize("last", ["[1/1] train", "train: 24 steps of"], ids=["first line", "ranks start"])
def test_a_training_whose_reader_left_ends_and_the_ledger_has_the_cause(
    small_job: SmallJob, tmp_path: Path, last: str
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(small_job.lake, lake)
    shutil.rmtree(lake / "checkpoints")
    with subprocess.Popen(
        command("train", "--force", "--lake", lake, "--run", small_job.run_file),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        cwd=Path(__file__).resolve().parents[2],
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith(last):
                break
        family = psutil.Process(process.pid).children(recursive=True)
        process.stdout.close()
        # What closed the pipe may be there the next time.
        assert process.wait(120) == 5
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    run = status(lake)["runs"][-1]
    assert (run["stage"], run["state"]) == ("train", "failed")
    assert "BrokenPipeError: [Errno 32] Broken pipe" in run["error"]
    assert "went away" not in run["error"]


def test_an_error_that_nobody_reads_keeps_its_exit_code() -> None:
    with subprocess.Popen(
        command("run", "nowhere.yaml"), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stderr
        process.stderr.close()
        assert process.wait(120) == 2
