"""A stage runs again when a library or a model that decides its result is another; no other stage does."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from conf import load
from pipelines.clean import language
from pipelines.console.console import Console
from pipelines.lake import Lake
from pipelines.run import libraries
from pipelines.run.binding import binding_of
from pipelines.run.context import Context
from pipelines.run.prepare import stage_key
from pipelines.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]


def keys(folder: Path, *overrides: str) -> dict[str, str]:
    """The key of each stage that reads no table of a run before it; of all, as if their tables were at 0."""
    if not (folder / "a.txt").exists():
        (folder / "a.txt").write_text("a")
    sets = [f"lake={folder}", f"ingest={{format: text, inputs: [{folder / 'a.txt'}]}}", *overrides]
    context = Context(load(overrides=sets), Lake.at(folder), Console())
    names = ("ingest", "clean", "repeats", "dedup", "tokenize", "mix", "pack", "features")
    return {
        stage.name: stage_key(
            stage,
            context.config,
            dict.fromkeys(stage.reads_of(context.config), 0),
            binding_of(stage).besides(context).fingerprint,
        )
        for stage in STAGES
        if stage.name in names
    }


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name, key in before.items() if after[name] != key}


@pytest.mark.parametrize(
    ("library", "stages"),
    [
        ("ftfy", {"clean"}),
        ("phonenumbers", {"clean"}),
        ("python-stdnum", {"clean"}),
        ("icu4py", {"clean"}),
        ("trafilatura", {"ingest"}),
        ("lxml", {"ingest"}),
        ("resiliparse", {"ingest"}),
        ("fastwarc", {"ingest"}),
        ("tokenizers", {"tokenize"}),
        ("gigatoken", {"tokenize"}),
        ("pyspark", {"features"}),
        ("python", {"ingest", "clean", "repeats", "dedup", "tokenize", "features"}),
        ("torch", set()),
    ],
)
def test_another_release_of_a_library_reruns_what_depends_on_it(
    library: str, stages: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(tmp_path)
    assert before == keys(tmp_path)
    installed = libraries._version
    monkeypatch.setattr(libraries, "_version", lambda name: "another" if name == library else installed(name))
    assert changed(before, keys(tmp_path)) == stages


def test_the_search_for_evaluation_sets_depends_on_what_cleans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "set.txt").write_text("a question")
    sets = f"decontaminate.sets=[{tmp_path / 'set.txt'}]"
    before, installed = keys(tmp_path, sets), libraries._version
    monkeypatch.setattr(libraries, "_version", lambda name: "another" if name == "ftfy" else installed(name))
    assert changed(before, keys(tmp_path, sets)) == {"clean", "dedup"}


def test_another_language_model_reruns_what_asks_for_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "set.txt").write_text("a question")
    sets = f"decontaminate.sets=[{tmp_path / 'set.txt'}]"
    plain, searching = keys(tmp_path), keys(tmp_path, sets)
    model = bytearray(language._model_file().read_bytes())
    other = tmp_path / "other.ftz"
    other.write_bytes(model)
    monkeypatch.setattr(language, "_model_file", lambda: other)
    assert keys(tmp_path) == plain, "the same model at another path"
    model[-1] ^= 1
    other.write_bytes(model)
    assert changed(plain, keys(tmp_path)) == {"clean"}
    assert changed(searching, keys(tmp_path, sets)) == {"clean", "dedup"}


def test_every_library_that_a_stage_names_is_installed_and_its_version_known() -> None:
    named = {
        *libraries.READERS,
        *libraries.CLEANING,
        *libraries.COMPARING,
        *libraries.TOKENIZING,
        *libraries.FEATURES,
    }
    assert all(libraries.versions(named).values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["spark"], *extras["icu"]]
    required = {line.split(">")[0].split("=")[0].split("[")[0] for line in asked}
    brought_by_trafilatura = "justext"
    assert named - required == {libraries.PYTHON, brought_by_trafilatura}
