"""An environment that is up to date is left alone, and whatever changes what belongs in it is noticed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.setup import __main__ as setup
from pipelines.setup import horovod, venv
from pipelines.setup.errors import CommandError, SetupError
from pipelines.setup.progress import last_lines
from pipelines.setup.target import Target, running_target, venv_target
from tests.setup.conftest import Lines

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose `.venv` passes for a complete one: this environment's packages, and a stamp."""
    for name in ("pyproject.toml", venv.CONSTRAINTS):
        shutil.copy(ROOT / name, tmp_path)
    target = venv_target(tmp_path)
    (target.prefix / "bin").mkdir(parents=True)
    target.python.symlink_to(sys.executable)
    (target.prefix / "bin" / "ringlake").write_text("")
    own = Path(str(running_target().locate("torch", "torch"))).parent
    (target.prefix / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}").mkdir(parents=True)
    Path(str(target.search[0] if target.search else "")).symlink_to(own)
    venv.write_stamp(target, venv.fingerprint(tmp_path) | {"horovod": horovod.entry(target)})
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_complete_environment_is_left_alone(checkout: Path) -> None:
    assert setup.stale(checkout) is None


CHANGES: list[tuple[str, Callable[[Path], object]]] = [
    ("pyproject", lambda root: edit(root / "pyproject.toml", '"typer>=', '"typer>0.1,>=')),
    ("constraints", lambda root: edit(root / "constraints.txt", "torch==2.", "torch==1.")),
    ("ringlake command", lambda root: (root / ".venv/bin/ringlake").unlink()),
    ("there is no", lambda root: (root / ".venv/bin/python").unlink()),
    ("not been completed", lambda root: (root / ".venv" / venv.STAMP).unlink()),
    ("not been completed", lambda root: (root / ".venv" / venv.STAMP).write_text('{"root": "/x')),
]


@pytest.mark.parametrize(("words", "change"), CHANGES)
def test_a_change_of_what_belongs_in_it_is_noticed(
    words: str, change: Callable[[Path], object], checkout: Path
) -> None:
    change(checkout)
    assert words in (setup.stale(checkout) or "")


def test_a_change_of_a_tools_settings_asks_for_no_set_up(checkout: Path) -> None:
    edit(checkout / "pyproject.toml", "line-length = 110", "line-length = 111")
    assert setup.stale(checkout) is None


def test_another_horovod_build_is_noticed(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(horovod, "RECIPE", horovod.RECIPE + 1)
    assert "Horovod" in (setup.stale(checkout) or "")


def test_missing_jars_ask_for_set_up(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGLAKE_CACHE", str(tmp_path / "empty"))
    assert "io.delta" in (setup.stale(checkout) or "")


def test_a_moved_checkout_is_noticed(checkout: Path) -> None:
    moved = checkout.with_name(checkout.name + "-moved")
    checkout.rename(moved)
    assert "root" in (setup.stale(moved) or "")


def test_the_backend_can_be_chosen_and_a_wrong_choice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    target = running_target()
    monkeypatch.setenv(horovod.BACKEND_VARIABLE, "gloo")
    gloo = horovod.entry(target)
    assert "gloo" in gloo
    monkeypatch.delenv(horovod.BACKEND_VARIABLE)
    if horovod.backend(target) == "nccl":
        assert horovod.entry(target) != gloo
    monkeypatch.setenv(horovod.BACKEND_VARIABLE, "mpi")
    with pytest.raises(SetupError, match='"mpi" is not one of auto, nccl, gloo'):
        horovod.backend(target)


def test_horovods_version_is_the_one_that_pyproject_names() -> None:
    assert f'"horovod=={horovod.VERSION}"' in (ROOT / "pyproject.toml").read_text()


def test_the_installed_horovod_reduces() -> None:
    assert horovod.verify(running_target()) is None


def test_an_environment_without_horovod_is_told_by_the_verification(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    bare = Target(tmp_path / "bare" / "bin" / "python", tmp_path / "bare", ())
    trouble = horovod.verify(bare)
    assert trouble is not None
    assert not trouble.loads
    assert trouble.line == "ModuleNotFoundError: No module named 'torch'"


def test_something_else_named_venv_is_never_removed(tmp_path: Path, progress: Lines) -> None:
    treasure = tmp_path / ".venv" / "notes.txt"
    treasure.parent.mkdir()
    treasure.write_text("mine")
    with pytest.raises(SetupError, match="is no Python environment"):
        venv.make_venv(venv_target(tmp_path), progress, tmp_path / "log")
    assert treasure.read_text() == "mine"


def test_a_broken_environment_is_made_anew(tmp_path: Path, progress: Lines) -> None:
    target = venv_target(tmp_path)
    target.prefix.mkdir()
    (target.prefix / "pyvenv.cfg").write_text("home = /nowhere\n")
    venv.make_venv(target, progress, tmp_path / "log")
    assert "making it anew" in progress.text
    subprocess.run([str(target.python), "-m", "pip", "--version"], check=True, capture_output=True)


def test_a_failing_program_is_shown_with_its_last_lines_and_its_log(tmp_path: Path, progress: Lines) -> None:
    program = "print('\\n'.join(f'line {i}' for i in range(100))); raise SystemExit(3)"
    log = tmp_path / "logs" / "build.log"
    with pytest.raises(CommandError) as raised:
        progress.run([sys.executable, "-c", program], label="compiling", log=log)
    said = str(raised.value)
    assert "compiling failed" in said
    assert "status 3" in said
    assert "line 99" in said
    assert "line 10\n" not in said
    assert str(log) in said
    assert last_lines(log, 2) == "line 98\nline 99"


def test_set_up_that_is_ended_ends_what_it_started(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import signal, sys
        from pathlib import Path
        from pipelines.setup.__main__ import _interrupt
        from pipelines.setup.progress import Progress
        signal.signal(signal.SIGTERM, _interrupt)
        compiler = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(300)"
        Progress().run([sys.executable, "-c", compiler], label="compiling", log=Path(sys.argv[1]))
        """
    )
    log = tmp_path / "log"
    process = subprocess.Popen([sys.executable, "-c", program, str(log)], cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not last_lines(log, 1).startswith("pid ") and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()
    assert process.wait(timeout=60) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(last_lines(log, 1).split()[1]), 0)


def test_a_program_that_is_not_there_is_named(tmp_path: Path, progress: Lines) -> None:
    with pytest.raises(CommandError, match="cannot start no-such-program"):
        progress.run(["no-such-program"], label="compiling", log=tmp_path / "log")
