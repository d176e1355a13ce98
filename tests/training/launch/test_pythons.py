"""A Python of the tasks that cannot run ringlake is named in one line, before any rank or stage starts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from pipelines.run.failure import as_ringlake_error
from pipelines.setup.jars import locate
from tests.training.launch.clusters import ANSWER_SECONDS
from training.errors import WorkerPythonError
from training.launch import LaunchOptions, launch
from training.launch.pythons import find_unfit_python, why_not_started

EXIT_CODE = 4
"""Of a problem with the environment, see `ringlake --help`."""

SCRIPT = Path(__file__).with_name("unfit_driver.py")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of the driver's version without a package; `python3` beside it is the same."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


def ask(folder: Path, master: str, **variables: str) -> tuple[int, dict[str, Any]]:
    """What a user's script in a folder of its own is told, and its exit code."""
    script = shutil.copy(SCRIPT, folder)
    environment = {
        name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYSPARK_PYTHON"}
    }
    done = subprocess.run(
        [sys.executable, script, master, ",".join(map(str, locate()))],
        env=environment | {"SPARK_LOCAL_IP": "127.0.0.1"} | variables,
        cwd=folder,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ANSWER_SECONDS,
    )
    assert done.stdout.startswith("{"), done.stderr[-4000:]
    return done.returncode, json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.cluster
def test_the_first_python3_of_the_path_lacks_ringlake(tmp_path: Path, bare: Path) -> None:
    path = os.pathsep.join([str(bare.parent), os.environ["PATH"]])
    code, said = ask(tmp_path, "local-cluster[1,1,1024]", PATH=path)
    assert (code, said["kind"], said["stage_code"]) == (EXIT_CODE, "WorkerPythonError", EXIT_CODE)
    for told, lacking in ((said["launch"], "torch"), (said["stage"], "pyarrow")):
        assert len(told.splitlines()) == 1
        assert told.startswith(f"{bare.with_name('python3')} (Python {sys.version.split()[0]}), which runs ")
        missing = told.partition(" has no module ")[2].partition(", which the driver has; ")[0].split(", ")
        assert {"conf", "schemas", "training", lacking} <= set(missing)
        assert "Spark starts 'python3' there, for PYSPARK_PYTHON is not set" in told
        assert f"Set PYSPARK_PYTHON={sys.executable} before the SparkSession is made" in told


@pytest.mark.rare
def test_pyspark_python_names_what_is_no_python(tmp_path: Path) -> None:
    code, said = ask(tmp_path, "local[1]", PYSPARK_PYTHON="/bin/true")
    assert (code, said["kind"], said["stage_code"]) == (EXIT_CODE, "WorkerPythonError", EXIT_CODE)
    for told in (said["launch"], said["stage"]):
        assert len(told.splitlines()) == 1
        assert told.startswith("Spark cannot run tasks of Python: ")
        assert "Spark starts '/bin/true' there, for PYSPARK_PYTHON is /bin/true" in told


SHADOWING = """
import site
import sys
from importlib.machinery import PathFinder
from importlib.metadata import DistributionFinder, MetadataPathFinder

class First:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [{folder!r}]) if path is None else None

    @staticmethod
    def find_distributions(context=DistributionFinder.Context()):
        return MetadataPathFinder.find_distributions(
            DistributionFinder.Context(name=context.name, path=[{folder!r}])
        )

sys.meta_path.insert(0, First)
site.addsitedir({packages!r})
"""
"""Makes a Python that has this one's packages, but before them what lies in a folder."""


def shadowed(folder: Path, files: dict[str, str]) -> Path:
    """A Python of its own with this one's packages, but for some files."""
    for name, content in files.items():
        path = folder / "first" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    venv.create(folder / "other", symlinks=True)
    [packages] = (folder / "other").glob("lib/python*/site-packages")
    text = SHADOWING.format(folder=str(folder / "first"), packages=sysconfig.get_path("purelib"))
    (packages / "shadowing.py").write_text(text)
    (packages / "shadowing.pth").write_text("import shadowing\n")
    return folder / "other" / "bin" / "python"


def release(name: str) -> dict[str, str]:
    """What is installed of another release of a package: its metadata."""
    return {f"{name}-99.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 99.0\n"}


@pytest.mark.parametrize(
    ("files", "difference"),
    [
        (release("torch"), r"has torch 99\.0, but the driver has \d"),
        (release("horovod"), r"has horovod 99\.0, but the driver has \d"),
        (release("ringlake"), r"has ringlake 99\.0, but the driver has \d"),
        (
            {"schemas/__init__.py": ""},
            "has other sources of ringlake than the driver: package schemas differs",
        ),
    ],
    ids=["torch", "horovod", "ringlake", "sources"],
)
def test_other_releases_in_the_tasks_are_told_before_a_rank_starts(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    difference: str,
) -> None:
    python = shadowed(tmp_path, files)
    # What PYSPARK_PYTHON says when the session is made.
    monkeypatch.setattr(spark.sparkContext, "pythonExec", str(python))
    monkeypatch.setenv("PYSPARK_PYTHON", str(python))
    lines: list[str] = []
    with pytest.raises(WorkerPythonError) as caught:
        launch(int, 1, spark=spark, options=LaunchOptions(say=lines.append))
    told = str(caught.value)
    assert len(told.splitlines()) == 1
    assert re.match(rf"{re.escape(str(python))} \(Python [\d.]+\), which runs .*, {difference}", told)
    assert f"Spark starts '{python}' there, for PYSPARK_PYTHON is {python}" in told
    assert f"Set PYSPARK_PYTHON={sys.executable} before the SparkSession is made" in told
    assert lines == []
    assert as_ringlake_error("train", caught.value).exit_code == EXIT_CODE


def test_a_python_with_the_drivers_packages_runs_ranks(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark.sparkContext, "pythonExec", str(shadowed(tmp_path, {})))
    assert find_unfit_python(spark, 1) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Aborted.\nSparkException: \nError from python worker:\n  Traceback (most recent call last):\n"
            '    File "x.py", line 1, in <module>\n  SyntaxError: invalid syntax\nPYTHONPATH was:\n  /x\n',
            "SyntaxError: invalid syntax",
        ),
        ("Job aborted.\nError from python worker:\n\nPYTHONPATH was:\n  /x\n", "the program ended at once"),
        (
            "[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.12 than 3.11",
            "Python in worker has different version: 3.12 than 3.11",
        ),
        (
            'java.io.IOException: Cannot run program "/nowhere": error=2, No such file\n\tat x',
            'Cannot run program "/nowhere": error=2, No such file',
        ),
        ("ValueError: a worker's own failure", None),
        ("ExecutorLostFailure (executor 1 exited)", None),
    ],
)
def test_why_no_python_worker_came_up(text: str, reason: str | None) -> None:
    assert why_not_started(text) == reason


def test_it_is_looked_at_once_a_session(spark: SparkSession) -> None:
    scheduler = spark.sparkContext._jsc.sc().dagScheduler()
    assert find_unfit_python(spark, 1, modules=("json",)) is None
    before = int(scheduler.numTotalJobs())
    # As many ranks as there are slots: on one host that is the same Python.
    assert find_unfit_python(spark, 2, modules=("json",)) is None
    assert int(scheduler.numTotalJobs()) == before
    assert find_unfit_python(spark, 1, modules=("json", "ast")) is None
    assert int(scheduler.numTotalJobs()) == before + 1
