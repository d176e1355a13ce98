"""A disk full under shuffle files or checkpoints: one line, and the same command once there is room."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from pipelines.setup.jars import locate
from tests.conftest import SmallJob
from tests.support.cli import ringlake, status
from tests.support.disk import small_disk
from tests.support.tables import DATA_TABLES, content_hash

pytestmark = [
    pytest.mark.slow,
    pytest.mark.rare,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting a file system needs root"),
]


def refused(*args: str | Path) -> str:
    """The error line of a run that found a disk full."""
    done = ringlake(*args, code=4)
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("ringlake: error: ")]
    assert "a disk is full" in line
    return line


def check_equal(lake: Path, calm: Path) -> None:
    for table in DATA_TABLES:
        assert content_hash(lake, table) == content_hash(calm, table), table
    weights = [place / "model" / "model.safetensors" for place in (lake, calm)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def resize(folder: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


def test_under_shuffle_files(small_job: SmallJob, tmp_path: Path) -> None:
    lake, scratch = tmp_path / "lake", tmp_path / "scratch"
    scratch.mkdir()
    args: list[str | Path] = ["run", small_job.run_file, "--set", f"lake={lake}"]
    args += ["--set", f"spark.conf={{spark.local.dir: {scratch}}}"]
    with small_disk(scratch, "64k"):
        line = refused(*args)
        assert line.startswith("ringlake: error: Spark could not start on 'local[2]': a disk is full")
        assert str(scratch) in line
        # Room for the jars that Spark copies there as it starts, and for little more.
        resize(scratch, f"{sum(Path(jar).stat().st_size for jar in locate()) // 1024 + 200}k")
        line = refused(*args)
        assert re.match("ringlake: error: (ingest|clean|dedup|tokenize|pack): a disk is full", line)
        assert "spark.conf.spark.local.dir" in line
        resize(scratch, "500m")
        ringlake(*args)
    check_equal(lake, small_job.lake)


def test_under_checkpoints(small_job: SmallJob, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    args: list[str | Path] = ["run", small_job.run_file, "--set", f"lake={lake}"]
    ringlake(*args, "--until", "pack")
    (lake / "checkpoints").mkdir(exist_ok=True)
    # The first checkpoint fits, the second does not.
    with small_disk(lake / "checkpoints", "700k"):
        line = refused(*args)
        assert line.startswith("ringlake: error: train: ")
        assert str(lake / "checkpoints") in line
        failed = status(lake)["runs"][-1]
        assert (failed["stage"], failed["state"]) == ("train", "failed")
        resize(lake / "checkpoints", "500m")
        told = ringlake(*args).stderr
        assert "from the checkpoint" in told
    check_equal(lake, small_job.lake)
