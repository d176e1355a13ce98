"""Input files behind fsspec URLs: found, named, verified and read as local ones are."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from conf.ingest import IngestConfig
from pipelines.errors import InputError
from pipelines.files.stored import StorageError
from pipelines.ingest import discover, fingerprint
from pipelines.ingest.parts import Part
from pipelines.ingest.read_file import Quarantined, Summary, read_file, read_part
from pipelines.run.keys import config_json, shown_config
from tests.ingest.zoo import CASES

ROOT = "memory://store"


@pytest.fixture
def store() -> Iterator[Any]:
    filesystem = fsspec.filesystem("memory")
    yield filesystem
    if filesystem.exists("/store"):
        filesystem.rm("/store", recursive=True)


def put(filesystem: Any, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        filesystem.pipe(f"/store/{name}", content)


def sources(*inputs: str, **config: Any) -> list[str]:
    return [file.source for file in discover(IngestConfig.model_validate({"inputs": inputs, **config}))]


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "x",
        "x/",
        "x/*.txt",
        "x/?.txt",
        "*/*/*on*",
        "**/*.txt",
        "x/*",
        "**",
        "x/**/c.ndjson",
        "*/y",
        "x/[ab].txt",
        "x/a.txt",
        "x/.e.txt",
        "x/.*",
        "**/y/*",
        "x/[a] *?.txt",
        "none*",
    ],
)
def test_globs_folders_and_files_are_those_of_a_local_disk(store: Any, tmp_path: Path, pattern: str) -> None:
    names = ["x/a.txt", "x/y/b.jsonl.gz", "x/y/c.ndjson", "x/z/c.ndjson", "x/.hidden/d.txt", "x/.e.txt"]
    names += ["x/[a] *?.txt", "x/y/z/t.txt"]
    for name in names:
        path = tmp_path / "store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"text\n")
    put(store, dict.fromkeys(names, b"text\n"))
    if pattern == "none*":
        with pytest.raises(InputError, match=r"memory://store/none\*' matches no file"):
            sources(f"{ROOT}/{pattern}")
        return
    assert sources(f"{ROOT}/{pattern}") == sources(f"{tmp_path}/store/{pattern}")


def test_names_that_would_collide_take_more_folders(store: Any, tmp_path: Path) -> None:
    put(store, {"p/one/a.txt": b"1", "p/two/a.txt": b"2"})
    local = tmp_path / "two" / "a.txt"
    local.parent.mkdir()
    local.write_bytes(b"3")
    found = sources(f"{ROOT}/p/one", f"{ROOT}/p/two", str(local.parent))
    assert len(set(found)) == 3
    assert "one/a.txt" in found


def test_the_fingerprint_follows_the_content(store: Any) -> None:
    config = IngestConfig(inputs=(ROOT,))
    put(store, {"a.txt": b"one\n"})
    first = fingerprint(discover(config))
    assert fingerprint(discover(config)) == first
    put(store, {"a.txt": b"two\n"})
    assert fingerprint(discover(config)) != first


def test_every_kind_of_input_ends_as_on_a_local_disk(store: Any, tmp_path: Path) -> None:
    cases = [case for case in CASES if not case.name.startswith("bomb")]
    put(store, {case.name: case.content for case in cases})
    for case in cases:
        (tmp_path / case.name).write_bytes(case.content)
    remote, local = (IngestConfig(inputs=(place,)) for place in (ROOT, str(tmp_path)))
    for there, here in zip(discover(remote), discover(local), strict=True):
        assert list(read_file(there, remote)) == list(read_file(here, local))


def test_parts_are_read_from_their_place(store: Any) -> None:
    content = b"".join(json.dumps({"text": f"row {i}"}).encode() + b"\n" for i in range(100))
    put(store, {"a.jsonl": content})
    config = IngestConfig(inputs=(f"{ROOT}/*.jsonl",))
    (file,) = discover(config)
    cuts = [0, 700, 1400]
    parts = [Part(file, i, cut, cut + 700 if i < 2 else None) for i, cut in enumerate(cuts)]
    rows = [row for part in parts for row in read_part(part, config) if not isinstance(row, Summary)]
    assert rows == [row for row in read_file(file, config) if not isinstance(row, Summary)]


def test_a_file_that_is_gone_is_quarantined_and_a_failing_store_is_not(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, {"a.txt.gz": gzip.compress(os.urandom(100)), "b.txt": b"text"})
    config = IngestConfig(inputs=(ROOT,))
    packed, plain = discover(config)
    store.rm("/store/b.txt")
    gone = next(iter(read_file(plain, config)))
    assert isinstance(gone, Quarantined)
    assert (gone.scope, gone.fault.reason) == ("file", "unreadable")

    def fail(*_: object, **__: object) -> bytes:
        raise OSError("the store memory://me:secret@store/a.txt.gz does not answer")

    monkeypatch.setattr(MemoryFile, "read", fail)
    with pytest.raises(StorageError, match="does not answer") as raised:
        list(read_file(packed, config))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nosuch://me:secret@host/a", "cannot be listed"),
        ("zip://a::memory://b", "chains file systems"),
        ("https://me:secret@host/a.jsonl?token=secret", "web servers list no files"),
        ("hdfs://me:secret@host/a#b/*.txt", "knows no '#'"),
    ],
)
def test_an_input_that_cannot_be_listed_is_one_clear_error_without_secrets(given: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        sources(given)
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


class Guarded(MemoryFileSystem):
    """Files in memory behind URLs with users and passwords."""

    protocol = "guarded"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        rest = path.partition("://")[2] if "://" in path else path
        return "/" + rest.rpartition("@")[2].strip("/")


def test_credentials_open_files_and_are_seen_nowhere() -> None:
    fsspec.register_implementation("guarded", Guarded, clobber=True)
    Guarded().pipe("/host/a.txt", b"text\n")
    Guarded().pipe("/other/a.txt", b"text\n")
    config = IngestConfig(inputs=("guarded://me:secret@host/*.txt", "guarded://me:secret@other/a.txt"))
    files = discover(config)
    assert [file.source for file in files] == ["host/a.txt", "other/a.txt"]
    assert [len(list(read_file(file, config))) for file in files] == [2, 2]
    stored = shown_config(config_json({"ingest": config}))
    assert "secret" not in stored
    assert "guarded://host/*.txt" in stored
    twice = ("guarded://me:secret@host/a.txt", "guarded://you:other@host/a.txt")
    with pytest.raises(InputError, match=r"guarded://host/a\.txt' with different users") as raised:
        sources(*twice)
    assert "secret" not in str(raised.value)
