"""A run whose last stages lack a package ends before its first stage, not after the training."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import ringlake
from pipelines.errors import EnvironmentProblem
from pipelines.run import installed
from pipelines.run.installed import check_installed
from pipelines.settings import load
from pipelines.stages import BY_NAME, STAGES

ROOT = Path(__file__).resolve().parents[2]
TRANSLATION = load(None, ["task.name=translation"])


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda _module: None)


def test_it_is_told_before_anything_runs(nothing_installed: None, tmp_path: Path) -> None:
    settings = {"task.name": "translation", "lake": str(tmp_path / "lake"), "ingest.inputs": [str(tmp_path)]}
    with pytest.raises(
        EnvironmentProblem, match=r"evaluate needs sacrebleu.*pip install 'ringlake\[tasks\]'"
    ):
        ringlake.run(settings=settings)
    assert not (tmp_path / "lake").exists()


def test_only_a_stage_that_will_run_needs_it(nothing_installed: None) -> None:
    check_installed(load(), STAGES, lambda _stage: False)
    check_installed(TRANSLATION, [BY_NAME["train"]], lambda _stage: False)
    check_installed(TRANSLATION, STAGES, lambda stage: stage.name == "evaluate")
    with pytest.raises(EnvironmentProblem):
        check_installed(TRANSLATION, STAGES, lambda stage: stage.name != "evaluate")


def test_the_extras_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    wanted = {item for stage in STAGES for item in stage.extras(TRANSLATION).items()}
    assert wanted
    for module, extra in wanted:
        assert any(requirement.startswith(module) for requirement in extras[extra])
