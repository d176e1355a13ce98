"""The last step of set-up: what a run imports loads, or set-up says what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.setup import imports
from pipelines.setup.errors import SetupError
from pipelines.setup.target import running_target
from tests.setup.conftest import Lines


def test_a_package_that_does_not_load_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progress: Lines
) -> None:
    monkeypatch.setattr(imports, "MODULES", ("json", "no_such_package_at_all"))
    with pytest.raises(SetupError, match="no_such_package_at_all") as caught:
        imports.ensure(running_target(), progress, tmp_path / "log")
    assert "set up again" in str(caught.value)


def test_byte_code_is_written_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, progress: Lines
) -> None:
    module = tmp_path / "ringlake_probe.py"
    module.write_text("VALUE = 1\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(imports, "MODULES", ("sys", "ringlake_probe"))
    monkeypatch.chdir(tmp_path)
    imports.ensure(running_target(), progress, tmp_path / "log")
    assert list((tmp_path / "__pycache__").glob("ringlake_probe.*.pyc"))
    assert "loads" in progress.text
