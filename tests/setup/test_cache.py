"""A cache entry is whole or it is made again; what breaks on disk is never handed out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.setup import cache
from pipelines.setup.errors import CacheError, SetupError
from tests.setup.conftest import Lines

ROOT = Path(__file__).resolve().parents[2]
CONTENT = {"a.whl": b"wheel " * 100, "b.jar": b"jar " * 50}


class Builder:
    """Counts how often it was asked to build."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, out: Path) -> None:
        self.calls += 1
        for name, data in CONTENT.items():
            (out / name).write_bytes(data)


def truncate(entry: Path) -> None:
    with (entry / "a.whl").open("r+b") as file:
        file.truncate(10)


def flip_a_byte(entry: Path) -> None:
    data = bytearray((entry / "a.whl").read_bytes())
    data[7] ^= 1
    (entry / "a.whl").write_bytes(data)


def lose_manifest(entry: Path) -> None:
    (entry / cache.MANIFEST).unlink()


def cut_manifest(entry: Path) -> None:
    (entry / cache.MANIFEST).write_text('{"format": 1, "files": {"a.whl"')


def foreign_manifest(entry: Path) -> None:
    (entry / cache.MANIFEST).write_text("[]")


def empty_manifest(entry: Path) -> None:
    (entry / cache.MANIFEST).write_text('{"format": 1, "files": {}}')


def lose_file(entry: Path) -> None:
    (entry / "b.jar").unlink()


def file_becomes_directory(entry: Path) -> None:
    (entry / "b.jar").unlink()
    (entry / "b.jar").mkdir()


def entry_becomes_file(entry: Path) -> None:
    for file in entry.iterdir():
        file.unlink()
    entry.rmdir()
    entry.write_text("not a directory")


DAMAGES = [
    truncate,
    flip_a_byte,
    lose_manifest,
    cut_manifest,
    foreign_manifest,
    empty_manifest,
    lose_file,
    file_becomes_directory,
    entry_becomes_file,
]


@pytest.mark.parametrize("harm", DAMAGES)
def test_a_damaged_entry_is_detected_named_and_made_again(
    harm: Callable[[Path], None], tmp_path: Path, progress: Lines
) -> None:
    build = Builder()
    made = cache.obtain([tmp_path], "jars", "x-1", build, progress)
    assert made.fresh
    harm(made.path)

    again = cache.obtain([tmp_path], "jars", "x-1", build, progress)

    assert build.calls == 2
    assert again.fresh
    assert {file.name: file.read_bytes() for file in again.files} == CONTENT
    assert f"{made.path} is damaged" in progress.text


def test_a_whole_entry_is_used_as_it_is(tmp_path: Path, progress: Lines) -> None:
    build = Builder()
    cache.obtain([tmp_path], "jars", "x-1", build, progress)
    again = cache.obtain([tmp_path], "jars", "x-1", build, progress)
    assert (build.calls, again.fresh) == (1, False)
    assert [file.name for file in again.files] == ["a.whl", "b.jar"]


def test_the_quick_look_sees_a_wrong_size_but_reads_no_contents(tmp_path: Path, progress: Lines) -> None:
    made = cache.obtain([tmp_path], "jars", "x-1", Builder(), progress)
    flip_a_byte(made.path)
    assert cache.damage(made.path, deep=False) is None
    assert "SHA-256" in (cache.damage(made.path, deep=True) or "")
    truncate(made.path)
    assert "10 bytes instead of 600" in (cache.damage(made.path, deep=False) or "")
    assert cache.find([tmp_path], "jars", "x-1") is None


def test_a_refused_entry_stays_until_another_is_built(tmp_path: Path, progress: Lines) -> None:
    def fail(_: Path) -> None:
        raise SetupError("no network")

    made = cache.obtain([tmp_path], "jars", "x-1", Builder(), progress)
    with pytest.raises(SetupError, match="no network"):
        cache.obtain([tmp_path], "jars", "x-1", fail, progress, refuse=made)
    assert cache.find([tmp_path], "jars", "x-1", deep=True) is not None

    def other(out: Path) -> None:
        (out / "a.whl").write_bytes(b"another")

    again = cache.obtain([tmp_path], "jars", "x-1", other, progress, refuse=made)
    assert again.fresh
    assert [file.read_bytes() for file in again.files] == [b"another"]
    # Another process that refused the same old entry finds it replaced, and uses the new one.
    build = Builder()
    third = cache.obtain([tmp_path], "jars", "x-1", build, progress, refuse=made)
    assert (build.calls, third.files) == (0, again.files)


def test_a_build_that_fails_or_dies_leaves_no_entry(tmp_path: Path, progress: Lines) -> None:
    def half(out: Path) -> None:
        (out / "a.whl").write_bytes(b"half")
        raise SetupError("the compiler failed")

    with pytest.raises(SetupError, match="the compiler failed"):
        cache.obtain([tmp_path], "jars", "x-1", half, progress)
    # What a killed process leaves: a directory aside, never renamed.
    dead = tmp_path / "jars" / ".building-x-1-dead"
    dead.mkdir()
    assert cache.find([tmp_path], "jars", "x-1") is None

    build = Builder()
    cache.obtain([tmp_path], "jars", "x-1", build, progress)
    left = sorted(path.name for path in (tmp_path / "jars").iterdir())
    assert (build.calls, left) == (1, [".x-1.lock", "x-1"])


@pytest.mark.parametrize("how", ["a file in its place", "a file in the parent's place"])
def test_an_unusable_cache_costs_one_line_and_the_next_one_serves(
    how: str, tmp_path: Path, progress: Lines
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    user = blocked if how == "a file in its place" else blocked / "cache"

    made = cache.obtain([user, tmp_path / "own"], "jars", "x-1", Builder(), progress)

    assert made.path == tmp_path / "own" / "jars" / "x-1"
    assert progress.text.count("\n") == 1
    assert f"the cache {user} cannot be used" in progress.text
    with pytest.raises(CacheError, match="RINGLAKE_CACHE"):
        cache.obtain([user], "jars", "x-1", Builder(), progress)


def test_an_entry_in_the_fallback_is_found_without_building(tmp_path: Path, progress: Lines) -> None:
    cache.obtain([tmp_path / "own"], "jars", "x-1", Builder(), progress)
    build = Builder()
    found = cache.obtain([tmp_path / "user", tmp_path / "own"], "jars", "x-1", build, progress)
    assert (build.calls, found.path) == (0, tmp_path / "own" / "jars" / "x-1")


def test_the_name_depends_on_every_input_and_not_on_their_order() -> None:
    base = {"torch": "2.12.1", "python": "cpython-311"}
    name = cache.entry_name("0.28.1", base)
    assert name == cache.entry_name("0.28.1", dict(reversed(base.items())))
    others = [base | {"torch": "2.12.0"}, base | {"python": "cpython-312"}, base | {"recipe": "2"}, {}]
    assert len({name, *(cache.entry_name("0.28.1", other) for other in others)}) == 5


def test_where_the_users_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("RINGLAKE_CACHE", raising=False)
    assert cache.user_cache() == tmp_path / ".cache" / "ringlake"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/ignored")
    assert cache.user_cache() == tmp_path / ".cache" / "ringlake"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.user_cache() == tmp_path / "xdg" / "ringlake"
    monkeypatch.setenv("RINGLAKE_CACHE", "~/mine")
    assert cache.user_cache() == tmp_path / "mine"


def test_two_processes_do_not_build_at_once(tmp_path: Path) -> None:
    """Both start together and meet in the build: an exclusive file there shows whether they overlap."""
    program = textwrap.dedent(
        """
        import os, sys, time
        from pathlib import Path
        from pipelines.setup import cache
        from pipelines.setup.progress import Progress
        root, me, other = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

        def build(out):
            os.close(os.open(root / "building", os.O_CREAT | os.O_EXCL))
            # Time enough for the other, which is running already, to come to the lock.
            time.sleep(1.5)
            (out / "a.whl").write_text("made by " + me)
            os.unlink(root / "building")
            with open(root / "builders", "a") as file:
                file.write(me + "\\n")

        (root / ("ready-" + me)).touch()
        while not (root / ("ready-" + other)).exists():
            time.sleep(0.01)
        entry = cache.obtain([root / "cache"], "horovod", "x-1", build, Progress())
        print(entry.files[0].read_text())
        """
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), *names],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        for names in (("one", "two"), ("two", "one"))
    ]
    told = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    builders = (tmp_path / "builders").read_text().split()
    assert len(builders) == 1
    assert [out.strip() for out, _ in told] == [f"made by {builders[0]}"] * 2
    assert sum("another set-up is making x-1" in err for _, err in told) == 1


def test_the_manifest_holds_sizes_and_sums_that_other_tools_agree_with(
    tmp_path: Path, progress: Lines
) -> None:
    def build(out: Path) -> None:
        (out / "abc").write_bytes(b"abc")

    made = cache.obtain([tmp_path], "jars", "x-1", build, progress)
    manifest = json.loads((made.path / cache.MANIFEST).read_text())
    # The test vector of FIPS 180-2 for "abc".
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert manifest == {"format": 1, "files": {"abc": {"size": 3, "sha256": digest}}}
