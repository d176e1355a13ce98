"""What is installed without its requirements, and wheels for a folder that a cluster's machines see."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.setup import apart, cache, horovod, jars
from pipelines.setup.errors import MissingJarsError, SetupError
from pipelines.setup.target import Target, running_target
from tests.setup.conftest import Lines


@pytest.fixture
def bare(tmp_path: Path) -> Target:
    """An environment with nothing in it."""
    return Target(tmp_path / "bin" / "python", tmp_path, (str(tmp_path / "lib"),))


def put(folder: Path, name: str, version: str) -> None:
    place = folder / f"{name}-{version}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_nothing_is_missing_where_all_is_installed() -> None:
    assert apart.missing(running_target()) == []


def test_what_is_missing_is_named_with_its_version_and_another_version_stays(bare: Target) -> None:
    assert apart.missing(bare) == ["petastorm==0.13.1", "icu4py==1.2.0"]
    put(bare.prefix / "lib", "icu4py", "1.1.0")
    assert apart.missing(bare) == ["petastorm==0.13.1"]


def test_jars_are_only_wanted_where_delta_is_not_the_platforms(bare: Target) -> None:
    assert jars.wanted(running_target())
    assert not jars.wanted(bare)


def test_without_spark_the_extra_is_named(bare: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "checkout_root", lambda: None)
    with pytest.raises(MissingJarsError, match=r"pip install 'ringlake\[spark\]'"):
        jars.locate(bare, [bare.prefix])


def test_horovods_wheel_for_a_volume_is_the_one_of_the_cache(tmp_path: Path, progress: Lines) -> None:
    target = running_target()
    roots = cache.cache_roots(target.prefix)
    cached = cache.find(roots, horovod.KIND, horovod.entry(target))
    assert cached is not None
    wheel = horovod.put_wheel(target, tmp_path / "volume" / "wheels", roots, tmp_path, progress)
    assert wheel.parent == tmp_path / "volume" / "wheels"
    (original,) = (file for file in cached.files if file.suffix == ".whl")
    assert wheel.name == original.name
    assert wheel.read_bytes() == original.read_bytes()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, progress: Lines) -> None:
    target = running_target()
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match=r"file/wheels .*name another folder"):
        horovod.put_wheel(
            target, tmp_path / "file" / "wheels", cache.cache_roots(target.prefix), tmp_path, progress
        )
