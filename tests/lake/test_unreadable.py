"""A ledger or another table that cannot be read ends in one line that names it, and says what helps."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from pipelines.cli.main import run
from pipelines.errors import EnvironmentProblem, InputError
from pipelines.lake import Lake, Ledger, RunRecord
from pipelines.lake.unreadable import in_one_line, unreadable


def _lake(folder: Path) -> Path:
    """A lake with two runs in its ledger; the folder of that table."""
    lake = Lake.at(folder / "lake")
    lake.create()
    for name in ("one", "two"):
        Ledger(lake).append(
            RunRecord(name, "clean", "succeeded", "k", "h", "{}", "c", datetime.now(UTC), 1.0, 1.0)
        )
    return folder / "lake" / "tables" / "runs"


def _log(table: Path, number: int) -> Path:
    return table / "_delta_log" / f"{number:020}.json"


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def _other_bytes(file: Path) -> None:
    file.write_bytes(b"\x80\0garbage" * 9)


def _replace_by_file(table: Path) -> None:
    shutil.rmtree(table)
    table.write_text("no table")


def _replace_by_other(table: Path) -> None:
    shutil.rmtree(table)
    write_deltalake(str(table), pa.table({"a": [1]}))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "cut commit": lambda table: _cut(_log(table, 1)),
    "commit of other bytes": lambda table: _other_bytes(_log(table, 1)),
    "first commit gone": lambda table: _log(table, 0).unlink(),
    "data file gone": lambda table: next(table.glob("*.parquet")).unlink(),
    "data file cut": lambda table: _cut(next(table.glob("*.parquet"))),
    "a file in its place": _replace_by_file,
    "another table in its place": _replace_by_other,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("command", ["run", "status", "report"])
def test_a_damaged_ledger_is_one_line_with_its_remedy(
    command: str, damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = _lake(tmp_path)
    DAMAGES[damage](table)
    lake = str(table.parent.parent)
    (tmp_path / "a.txt").write_text("a text\n")
    (tmp_path / "run.yaml").write_text(f"ingest: {{inputs: ['{tmp_path / 'a.txt'}']}}\n")
    more = {
        "run": [str(tmp_path / "run.yaml"), "--set", f"lake={lake}"],
        "status": [lake],
        "report": ["--lake", lake],
    }
    code = run([command, *more[command]])
    said = capsys.readouterr().err
    assert code == 3, said
    errors = [line for line in said.splitlines() if line.startswith("ringlake: error: ")]
    assert len(errors) == 1, said
    assert f"table 'runs' of the lake {lake} cannot be read: " in errors[0]
    assert f"put back a copy of {table}, or move that folder away: every stage then runs again" in errors[0]
    assert "starting Spark" not in said
    assert "\x1b" not in said
    assert said.splitlines()[-1] == errors[0], said


_AS_NOBODY = """
import os, sys
from pipelines.cli.main import run
from pipelines.lake import Ledger, query
from pipelines.errors import RinglakeError
import pipelines.cli.tabulate

# As root everything can be read; what is imported on the way lies where nobody else may look.
assert run(["status", sys.argv[1]]) == 0
os.setuid(65534)
sys.exit(run(["status", sys.argv[1]]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without rights")
@pytest.mark.parametrize("kept_back", ["_delta_log", "_delta_log/00000000000000000001.json", "*.parquet"])
def test_missing_rights_are_named(kept_back: str) -> None:
    # Pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        _check_rights(_lake(Path(folder)), kept_back)


def _check_rights(table: Path, kept_back: str) -> None:
    for file in table.glob(kept_back):
        file.chmod(0)
    command = [sys.executable, "-c", _AS_NOBODY, str(table.parent.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 4, done.stderr
    assert "table 'runs' of the lake" in done.stderr
    assert "Permission denied" in done.stderr
    assert f"give this user the rights to read and write all of {table}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_shortage_or_a_silent_store_is_no_damage(tmp_path: Path) -> None:
    here, there = Lake.at(tmp_path), Lake.at("memory://somewhere/lake")
    assert isinstance(
        unreadable(here, "runs", OSError("Too many open files (os error 24)")), EnvironmentProblem
    )
    assert isinstance(unreadable(there, "runs", OSError("the store does not answer")), EnvironmentProblem)
    damaged = unreadable(here, "corpus", ValueError("bad"))
    assert isinstance(damaged, InputError)
    assert "run the stage again that writes it" in str(damaged)


def test_what_a_library_says_becomes_one_line() -> None:
    said = "Generic error\n    \x1b[31m↳\x1b[0m Unable to walk\n   0: <unknown>\n   1: <unknown>\n"
    assert in_one_line(OSError(said)) == "Generic error: Unable to walk"
    assert in_one_line(ValueError()) == "ValueError"
    long = in_one_line(OSError("what failed " + "x" * 9000 + " permission denied"))
    assert long.startswith("what failed ") and long.endswith(" permission denied")
    assert len(long) < 500
