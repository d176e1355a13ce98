"""ringlake beside packages called `conf`, `pipelines`, `schemas` and `training` of somebody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ringlake.names import HOME, PACKAGES, NameClashError, claim, foreign

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A project with packages of our names, one of which says so when it is imported."""
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("OWNER = 'them'\n")
    return tmp_path


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python started in a folder, as a notebook or a script there would be."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_nothing_is_foreign_where_there_is_only_ringlake() -> None:
    assert foreign([HOME]) == {}
    assert foreign([]) == {}


def test_a_plain_folder_of_such_a_name_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "values.yaml").touch()
    assert foreign([str(tmp_path), HOME]) == {}


def test_packages_and_modules_of_such_a_name_are_found_with_their_place(theirs: Path) -> None:
    found = foreign([str(theirs), HOME])
    assert found == {name: str(theirs / name / "__init__.py") for name in PACKAGES}
    (theirs / "single").mkdir()
    (theirs / "single" / "conf.py").touch()
    assert foreign([str(theirs / "single"), HOME]) == {"conf": str(theirs / "single" / "conf.py")}
    assert foreign([HOME, str(theirs)]) == {}, "what comes after ours is never imported"


def test_ours_are_imported_and_it_is_said_once_what_to_rename(theirs: Path) -> None:
    done = python(
        theirs,
        "-c",
        "import ringlake, conf, pipelines.errors, schemas, training.errors\n"
        "from ringlake import open_lake, launch\n"
        "print(hasattr(conf, 'OWNER'), len(schemas.TABLES) > 10)",
    )
    assert done.stdout.split() == ["False", "True"], done.stderr
    assert done.stderr.count("UserWarning") == 1
    assert all(str(theirs / name / "__init__.py") in done.stderr for name in PACKAGES)
    assert "rename yours" in done.stderr


def test_what_they_imported_before_is_named(theirs: Path) -> None:
    done = python(theirs, "-c", "import conf\nimport ringlake")
    assert done.returncode == 1
    assert "NameClashError" in done.stderr
    assert str(theirs / "conf" / "__init__.py") in done.stderr
    assert "import ringlake before it, or rename yours" in done.stderr


def test_claiming_again_changes_nothing() -> None:
    before = list(sys.meta_path)
    claim()
    assert sys.meta_path == before


def test_a_module_without_a_place_is_no_clash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "conf", type(sys)("conf"))
    claim()


def test_a_clash_is_an_import_error() -> None:
    assert issubclass(NameClashError, ImportError)


def test_the_command_says_nothing_of_it(theirs: Path) -> None:
    done = python(theirs, "-m", "ringlake", "version")
    assert (done.returncode, done.stderr) == (0, "")
    assert "+src." in done.stdout


JOB = """
import json, sys
import ringlake

spark_of_a_stage = ringlake.run(
    settings={
        "lake": "lake",
        "ingest.inputs": ["texts.jsonl"],
        "clean.profile": "none",
        "spark.master": "local[2]",
        "spark.driver_memory": "1g",
    },
    until="clean",
)
print(json.dumps([[run.stage, run.rows_in, run.rows_out] for run in spark_of_a_stage]))


def place(name):
    import conf, training
    return [name, hasattr(conf, "OWNER"), hasattr(training, "OWNER")]


print(json.dumps(ringlake.HorovodRunner(np=2).run(place, name="rank")))
"""


@pytest.mark.rare
@pytest.mark.slow
@pytest.mark.cluster
def test_driver_workers_and_ranks_run_in_such_a_folder(theirs: Path) -> None:
    (theirs / "texts.jsonl").write_text('{"text": "a first text"}\n{"text": "a second one"}\n')
    (theirs / "job.py").write_text(JOB)
    done = python(theirs, "job.py")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert lines[0] == '[["ingest", 2, 2], ["clean", 2, 2]]'
    assert lines[-1] == '["rank", false, false]'
