"""A whole lake on S3: tables through s3a and delta-rs, lease, checkpoints, model; kills and two writers."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fsspec
import pytest
from pyspark.sql import SparkSession

from pipelines.errors import EnvironmentProblem
from pipelines.object_stores import require_file_systems
from pipelines.setup import cache, s3_jars
from pipelines.setup.errors import SetupError
from pipelines.setup.progress import Progress
from pipelines.setup.target import running_target
from ringlake.base.storage import Folder
from tests.conftest import SmallJob
from tests.support.cli import command, environment, ringlake
from tests.support.ended import end_when
from tests.support.s3 import BUCKET, s3_server
from tests.support.tables import DATA_TABLES, content_hash

LAKE = f"s3://{BUCKET}/lake"

MOMENTS = ("commit corpus", "[5/9] pack", "step 12/24")


def test_a_session_without_the_file_system_of_a_place_says_what_it_lacks(spark: SparkSession) -> None:
    require_file_systems(spark, ["/lake", "hdfs://host/lake", "file:///lake"])
    with pytest.raises(EnvironmentProblem, match=r"no file system for gs://.*connector of Google"):
        require_file_systems(spark, ["/lake", "gs://bucket/lake"])
    with pytest.raises(EnvironmentProblem, match=r"no file system for s3://.*setup --s3.*hadoop-aws"):
        require_file_systems(spark, ["s3://bucket/lake"])


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, str]]:
    target = running_target()
    try:
        s3_jars.ensure(target, cache.cache_roots(target.prefix), tmp_path, Progress())
    except SetupError as error:
        pytest.skip(f"Spark's client of S3 cannot be fetched: {error}")
    with s3_server() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield variables


def _reached(moment: str, log: Path) -> bool:
    if moment.startswith("commit "):
        table = Folder(f"{LAKE}/tables/{moment.split()[1]}/_delta_log")
        return table.exists("00000000000000000000.json")
    return moment in log.read_text(errors="replace")


@pytest.mark.rare
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_three_times_it_equals_a_lake_on_a_disk(
    small_job: SmallJob, s3: dict[str, str], tmp_path: Path
) -> None:
    args = command("run", small_job.run_file, "--set", f"lake={LAKE}")
    for number, moment in enumerate(MOMENTS):
        log = tmp_path / f"log{number}"
        end_when(args, log, moment, signal.SIGKILL, partial(_reached, moment, log))
    # The fourth start; while it works another writer is told to wait.
    with (tmp_path / "log").open("w") as output:
        running = subprocess.Popen(args, stdout=output, stderr=subprocess.STDOUT, env=environment())
        try:
            while "train: step" not in (tmp_path / "log").read_text():
                assert running.poll() is None, (tmp_path / "log").read_text()[-4000:]
                try:
                    running.wait(1)
                except subprocess.TimeoutExpired:
                    continue
            other = ringlake("clean", "--lake", LAKE, code=4)
            assert "another ringlake" in other.stderr
            assert running.wait(1800) == 0, (tmp_path / "log").read_text()[-4000:]
        finally:
            running.kill()
            running.wait()

    for table in DATA_TABLES:
        assert content_hash(LAKE, table) == content_hash(small_job.lake, table), table
    runs = json.loads(ringlake("status", LAKE, "--json").stdout)["runs"]
    assert {run["state"] for run in runs} == {"succeeded"}
    assert len(runs) == len({run["stage"] for run in runs})
    names = Folder(LAKE).names()
    assert {"model", "report.html", "evaluation.json", "checkpoints", "tables"} <= set(names)
    assert (
        Folder(f"{LAKE}/model").read("model.safetensors")
        == (small_job.lake / "model" / "model.safetensors").read_bytes()
    )
    again = ringlake("run", small_job.run_file, "--set", f"lake={LAKE}")
    assert "up to date" in again.stderr
    assert "starting Spark" not in again.stderr
    secret = s3["AWS_SECRET_ACCESS_KEY"].encode()
    for place in fsspec.filesystem("s3").find(f"{BUCKET}/lake"):
        assert secret not in fsspec.filesystem("s3").cat_file(place), place
    assert secret.decode() not in (tmp_path / "log").read_text() + again.stderr
