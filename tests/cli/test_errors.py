"""Whatever is wrong: one clear error with its remedy, the promised exit code, no traceback, no half table."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import ringlake, write_run


def _error(stderr: str) -> str:
    assert "Traceback" not in stderr
    lines = [line for line in stderr.splitlines() if line.startswith("ringlake: error: ")]
    assert len(lines) == 1, stderr
    return lines[0]


def test_unknown_key() -> None:
    done = ringlake("run", "conf/runs/python-docs.yaml", "--set", "train.stepz=3", code=2)
    assert "did you mean train.steps?" in _error(done.stderr)


def test_missing_run_file() -> None:
    done = ringlake("run", "nowhere.yaml", code=2)
    assert "'nowhere.yaml' does not exist" in _error(done.stderr)


def test_unwritable_lake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = ringlake("run", "conf/runs/python-docs.yaml", "--set", f"lake={tmp_path}/file/lake", code=4)
    assert "cannot be written to" in _error(done.stderr)
    assert "--set lake=PATH" in done.stderr


def test_input_that_matches_nothing(tmp_path: Path) -> None:
    done = ringlake("ingest", "--input", tmp_path / "*.jsonl", "--lake", tmp_path / "lake", code=3)
    assert "*.jsonl" in _error(done.stderr)
    assert not (tmp_path / "lake" / "tables" / "documents").exists()


def test_missing_jars(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    done = ringlake(
        "ingest", "--input", tmp_path / "a.jsonl", "--lake", tmp_path / "lake", code=4,
        env={"RINGLAKE_CACHE": str(tmp_path / "empty")},
    )  # fmt: skip
    assert "make setup" in _error(done.stderr)
    assert not (tmp_path / "lake" / "tables" / "documents").exists()


def test_spark_is_not_asked_for() -> None:
    """A cluster's runtime brings Spark; without one there, what to do is said, and light commands work."""
    program = """
import sys

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pyspark":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Lacking())
from pipelines.cli.main import run

assert run(["version"]) == 0 and run(["setup", "--help"]) == 0
sys.exit(run(["run", "conf/runs/python-docs.yaml"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert "pip install 'ringlake[spark]'" in _error(done.stderr)


@pytest.mark.parametrize("args", [("status",), ("show", "documents"), ("clean",)])
def test_no_lake_there(tmp_path: Path, args: tuple[str, ...]) -> None:
    lake = tmp_path / "none"
    rest = ["--lake", str(lake)] if args == ("clean",) else [str(lake), *args[1:]]
    done = ringlake(args[0], *rest, code=3)
    assert "there is no lake at" in _error(done.stderr)
    assert not lake.exists()


def test_unknown_option_and_command() -> None:
    assert "--nonsense" in ringlake("ingest", "--nonsense", code=2).stderr
    assert "bake" in ringlake("bake", code=2).stderr


def test_a_traceback_when_asked_for(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run.yaml", tmp_path / "none.jsonl", lake=str(tmp_path / "lake"))
    done = ringlake("run", run, "--traceback", code=3)
    assert "Traceback" in done.stderr


def test_help_tells_of_every_stage_and_exit_code() -> None:
    text = " ".join(ringlake("--help").stdout.split())
    commands = "run ingest clean dedup tokenize pack train evaluate generate report status show setup"
    for word in commands.split():
        assert f" {word} " in text
    assert "130 interrupted" in text
