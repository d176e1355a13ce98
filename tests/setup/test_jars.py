"""Delta's jars are found without a network, and what is missing is said with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.setup import cache, jars
from pipelines.setup.errors import SetupError
from pipelines.setup.target import Target, running_target
from tests.setup.conftest import Lines


def environment(folder: Path, **versions: str) -> Target:
    """Write an environment with nothing but the metadata of distributions."""
    for name, version in versions.items():
        place = folder / f"{name}-{version}.dist-info"
        place.mkdir(parents=True)
        (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return Target(folder / "bin" / "python", folder, (str(folder),))


def store(target: Target, root: Path, progress: Lines) -> Path:
    """Put two files into the cache where the environment's jars belong."""

    def build(out: Path) -> None:
        for name in ("delta.jar", "storage.jar"):
            (out / name).write_bytes(b"PK" + bytes(98))

    return cache.obtain([root], jars.KIND, jars.entry(target), build, progress).path


def test_the_coordinate_follows_the_installed_versions(tmp_path: Path) -> None:
    target = environment(tmp_path, delta_spark="4.3.1", pyspark="4.1.1")
    assert jars.coordinate(target) == "io.delta:delta-spark_4.1_2.13:4.3.1"
    other = environment(tmp_path / "other", delta_spark="4.3.0", pyspark="4.1.1")
    assert jars.entry(other) != jars.entry(target)


def test_before_anything_is_installed_the_pins_decide(tmp_path: Path) -> None:
    pins = (Path(__file__).resolve().parents[2] / "constraints.txt").read_text()
    delta = next(line for line in pins.splitlines() if line.startswith("delta-spark==")).split("==")[1]
    assert jars.coordinate(environment(tmp_path)).endswith(f":{delta}")


def test_jars_in_the_cache_are_found_in_the_order_of_their_names(tmp_path: Path, progress: Lines) -> None:
    target = environment(tmp_path / "env", delta_spark="4.3.1", pyspark="4.1.1")
    place = store(target, tmp_path / "cache", progress)
    assert jars.locate(target, [tmp_path / "cache"]) == [place / "delta.jar", place / "storage.jar"]


def test_jars_in_the_environments_own_cache_are_found_too(
    tmp_path: Path, progress: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGLAKE_CACHE", str(tmp_path / "empty"))
    target = environment(tmp_path / "env", delta_spark="4.3.1", pyspark="4.1.1")
    place = store(target, target.prefix / cache.FALLBACK, progress)
    assert jars.locate(target) == [place / "delta.jar", place / "storage.jar"]


def test_missing_jars_name_the_directory_and_the_remedy(tmp_path: Path) -> None:
    target = environment(tmp_path / "env", delta_spark="4.3.1", pyspark="4.1.1")
    with pytest.raises(jars.MissingJarsError) as raised:
        jars.locate(target, [tmp_path / "cache"])
    assert str(tmp_path / "cache" / "jars" / "delta-4.3.1-") in str(raised.value)
    assert "io.delta:delta-spark_4.1_2.13:4.3.1" in str(raised.value)
    assert "make setup" in str(raised.value)


@pytest.mark.parametrize(
    ("harm", "words"),
    [("cut", "storage.jar has 7 bytes instead of 100"), ("removed", "storage.jar: No such file")],
)
def test_a_jar_that_is_cut_or_gone_is_named(harm: str, words: str, tmp_path: Path, progress: Lines) -> None:
    target = environment(tmp_path / "env", delta_spark="4.3.1", pyspark="4.1.1")
    jar = store(target, tmp_path / "cache", progress) / "storage.jar"
    jar.write_bytes(bytes(7)) if harm == "cut" else jar.unlink()
    with pytest.raises(jars.MissingJarsError, match=words):
        jars.locate(target, [tmp_path / "cache"])


def test_the_running_environment_has_its_jars_and_delta_is_among_them() -> None:
    """What set-up left: the test environment itself was made by it."""
    found = jars.locate()
    wanted = jars.coordinate(running_target()).split(":")
    assert f"{wanted[0]}_{wanted[1]}-{wanted[2]}.jar" in [jar.name for jar in found]
    assert all(jar.read_bytes()[:2] == b"PK" for jar in found)


def test_an_environment_without_spark_cannot_fetch(tmp_path: Path, progress: Lines) -> None:
    target = environment(tmp_path / "env")
    with pytest.raises(SetupError, match="pyspark is not installed"):
        jars.ensure(target, [tmp_path / "cache"], tmp_path / "logs", progress)
    assert cache.find([tmp_path / "cache"], jars.KIND, jars.entry(target)) is None
