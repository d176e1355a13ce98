"""Spark's classes in an archive: made once, used where it fits, and missed by nobody where it does not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.setup import classes
from pipelines.setup.target import Target, running_target
from tests.setup.conftest import Lines


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """The packages of this environment, with a cache of its own."""
    own = running_target()
    return Target(own.python, tmp_path / "env", own.search)


def test_an_archive_that_is_made_is_used(
    tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch, progress: Lines
) -> None:
    assert classes.options(target) == ""

    def command(_target: Target, _scratch: Path, archive: Path) -> list[str]:
        java = shutil.which("java")
        assert java is not None
        return [java, f"-XX:ArchiveClassesAtExit={archive}", "-version"]

    monkeypatch.setattr(classes, "_small_run", command)
    classes.ensure(target, tmp_path, progress)
    archive = classes.locate(target)
    assert archive is not None, progress.text
    assert archive.is_relative_to(target.prefix)
    assert f"-XX:SharedArchiveFile={archive} " in classes.options(target)


def test_a_failure_is_told_and_costs_nothing_else(
    tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch, progress: Lines
) -> None:
    monkeypatch.setattr(classes, "_small_run", lambda *_: [sys.executable, "-c", "raise SystemExit('why')"])
    classes.ensure(target, tmp_path, progress)
    assert "not archived" in progress.text
    assert "why" in progress.text
    assert classes.locate(target) is None


def test_another_java_has_another_archive(
    tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = set()
    for version in ("17.0.1", "21.0.2"):
        home = tmp_path / version
        home.mkdir()
        (home / "release").write_text(f'JAVA_VERSION="{version}"\n')
        monkeypatch.setenv("JAVA_HOME", str(home))
        names.add(classes.entry(target))
    assert len(names) == 2
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert classes.entry(target) is None


def test_a_java_that_cannot_use_the_archive_goes_without_and_says_nothing(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = target.prefix / "broken.jsa"
    broken.parent.mkdir()
    broken.write_bytes(b"no archive at all" * 1000)
    monkeypatch.setattr(classes, "locate", lambda _target: broken)
    java = shutil.which("java")
    assert java is not None
    done = subprocess.run(
        [java, *classes.options(target).split(), "-version"], check=False, capture_output=True
    )
    assert done.returncode == 0
    assert b"warning" not in (done.stdout + done.stderr).lower()
