"""Files of installed packages as inputs: named without saying where they lie, and found without an import."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from conf.ingest import IngestConfig
from pipelines.errors import InputError
from pipelines.ingest import installation, packages
from pipelines.ingest.discover import discover, fingerprint

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package on Python's path that nobody may import, in a folder with characters of patterns."""
    folder = tmp_path / "[lib] *" / "shop_reviews"
    for name in ("good/a.txt", "good/b.txt", "bad/a.txt", "__pycache__/x.txt", ".hidden.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text\n", "utf-8")
    (folder / "__init__.py").write_text("raise SystemExit('nobody may import this')", "utf-8")
    monkeypatch.syspath_prepend(folder.parent)
    return folder


def sources(given: str) -> list[str]:
    return [file.source for file in discover(IngestConfig(inputs=(given,)))]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/good/a.txt", ["good/a.txt"]),
        ("/good", ["good/a.txt", "good/b.txt"]),
        ("/*/a.txt", ["bad/a.txt", "good/a.txt"]),
        ("/**/b.txt", ["good/b.txt"]),
        ("", ["__init__.py", "bad/a.txt", "good/a.txt", "good/b.txt"]),
    ],
)
def test_a_file_a_folder_and_a_glob_of_a_package(package: Path, path: str, found: list[str]) -> None:
    expected = [f"site-packages/shop_reviews/{name}" for name in found]
    assert sources(f"package:shop_reviews{path}") == expected


def test_nothing_tells_where_the_package_lies(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = IngestConfig(inputs=("package:shop_reviews/good",))
    files = discover(config)
    before = fingerprint(files)
    moved = tmp_path / "elsewhere"
    package.parent.rename(moved)
    monkeypatch.syspath_prepend(moved)
    assert fingerprint(discover(config)) == before
    # As on another node, whose path the driver did not know.
    (one, _) = files
    assert installation.here(one.path, one.source) == str(moved / "shop_reviews/good/a.txt")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("package:snow_nothing/a.txt", "snow_nothing is not installed: pip install"),
        ("package:shop_reviews/none*.txt", "matches no file"),
        ("package:shop_reviews/good/../../secret.txt", "leads out of its package"),
        ("package:/a.txt", "names no package"),
        ("package:a.b/a.txt", "names no package"),
        ("package:sys/a.txt", "sys is not installed"),
    ],
)
def test_what_cannot_be_read_is_told(package: Path, given: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        sources(given)
    assert given in str(error.value)


def test_a_package_of_a_run_file_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    used = {
        name
        for path in (ROOT / "conf" / "runs").glob("*.yaml")
        for name in re.findall(r"package:(\w+)", path.read_text("utf-8"))
    }
    assert used
    monkeypatch.setattr(packages, "folder_of", lambda _name: None)
    for name in used:
        with pytest.raises(InputError, match=r"pip install 'ringlake\[\w+\]'") as error:
            sources(f"package:{name}/a.txt")
        (extra,) = re.findall(r"ringlake\[(\w+)\]", str(error.value))
        assert any(wanted.startswith(name) for wanted in extras[extra])
