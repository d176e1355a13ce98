"""Which files are found, and what they are called in every table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import pytest

from conf.ingest import Format, IngestConfig
from pipelines.errors import InputError
from pipelines.ingest import installation
from pipelines.ingest.discover import discover, fingerprint
from pipelines.ingest.readers import READERS


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text\n", encoding="utf-8")


def sources(*inputs: str | Path, **config: str) -> list[str]:
    settings = IngestConfig.model_validate({"inputs": [str(item) for item in inputs], **config})
    return [file.source for file in discover(settings)]


def test_a_file_a_folder_and_a_glob_name_their_files_differently(tmp_path: Path) -> None:
    make(tmp_path, "x/a.txt", "x/y/b.jsonl.gz", "x/z/c.ndjson", "x/.hidden/d.txt", "x/.e.txt")
    assert sources(tmp_path / "x" / "a.txt") == ["a.txt"]
    assert sources(tmp_path / "x") == ["a.txt", "y/b.jsonl.gz", "z/c.ndjson"]
    assert sources(f"{tmp_path}/x/*.txt") == ["a.txt"]
    assert sources(f"{tmp_path}/*/*/*on*") == ["x/y/b.jsonl.gz", "x/z/c.ndjson"]
    assert sources(f"{tmp_path}/**/*.txt") == ["x/a.txt"]
    assert sources(f"{tmp_path}/x/*") == ["a.txt", "y/b.jsonl.gz", "z/c.ndjson"]


def test_relative_inputs_give_the_same_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "x/a.txt", "x/y/b.txt")
    absolute = sources(tmp_path / "x")
    monkeypatch.chdir(tmp_path)
    assert sources("x") == sources("./x/") == sources("x/y/..") == absolute
    monkeypatch.chdir(tmp_path / "x")
    assert sources("../x/*.txt") == ["a.txt"]


def test_names_that_would_collide_take_more_folders(tmp_path: Path) -> None:
    make(tmp_path, "p/one/a.txt", "p/two/a.txt", "q/two/a.txt", "q/two/b.txt")
    inputs = [tmp_path / "p/one", tmp_path / "p/two", tmp_path / "q/two"]
    expected = ["b.txt", "one/a.txt", "p/two/a.txt", "q/two/a.txt"]
    assert sources(*inputs) == expected
    assert sources(*reversed(inputs)) == expected


def test_a_longer_name_does_not_collide_with_an_ordinary_one(tmp_path: Path) -> None:
    make(tmp_path, "p/sub/a.txt", "q/a.txt", "r/sub/a.txt")
    found = sources(tmp_path / "p/sub", tmp_path / "q", tmp_path / "r")
    assert len(set(found)) == 3


def test_a_file_that_several_inputs_match_is_read_once(tmp_path: Path) -> None:
    make(tmp_path, "x/y/a.txt")
    assert sources(tmp_path / "x", f"{tmp_path}/*/y/*.txt", tmp_path / "x/y/a.txt") == ["a.txt"]


def test_names_with_wildcard_characters_are_files_first(tmp_path: Path) -> None:
    make(tmp_path, "[a] *?.txt", 'it\'s a "naïve" 文件.txt')
    assert sources(tmp_path / "[a] *?.txt") == ["[a] *?.txt"]
    assert sources(tmp_path) == ["[a] *?.txt", 'it\'s a "naïve" 文件.txt']


def test_a_name_that_is_not_utf8_is_escaped_and_stays_unique(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/a\xff.txt"
    descriptor = os.open(raw, os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, b"text\n")
    os.close(descriptor)
    make(tmp_path, r"a\xff.txt")
    found = sources(tmp_path)
    assert len(set(found)) == 2
    assert all(name.encode("utf-8") for name in found)


def test_formats_and_compression_follow_the_name(tmp_path: Path) -> None:
    make(
        tmp_path,
        "a.JSONL",
        "b.ndjson.zst",
        "c.json-lines.bz2",
        "d.text",
        "e.TXT.GZ",
        "f.parquet",
        "g.gz",
        "METADATA",
    )
    found = discover(IngestConfig(inputs=(str(tmp_path),)))
    assert {file.source: (file.format, file.compression) for file in found} == {
        "a.JSONL": ("jsonl", "none"),
        "b.ndjson.zst": ("jsonl", "zstd"),
        "c.json-lines.bz2": ("jsonl", "bz2"),
        "d.text": ("text", "none"),
        "e.TXT.GZ": ("text", "gzip"),
        "f.parquet": ("parquet", "none"),
        "g.gz": ("unknown", "gzip"),
        "METADATA": ("unknown", "none"),
    }


def test_python_docs_reads_only_documentation_of_a_folder(tmp_path: Path) -> None:
    make(
        tmp_path,
        "p/a.py",
        "p/data.bin",
        "p/README.md",
        "p-1.dist-info/METADATA",
        "p-1.dist-info/RECORD",
        "notes.txt",
    )
    assert sources(tmp_path, format="python-docs") == ["p-1.dist-info/METADATA", "p/README.md", "p/a.py"]


@pytest.mark.parametrize("missing", ["nowhere.txt", "none*.txt", "empty"])
def test_an_input_without_files_is_an_error_that_names_it(tmp_path: Path, missing: str) -> None:
    (tmp_path / "empty").mkdir()
    make(tmp_path, "a.txt")
    with pytest.raises(InputError, match=missing.replace("*", r"\*")):
        sources(tmp_path / "a.txt", tmp_path / missing)


def test_a_folder_without_documentation_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, "data.bin", "notes.txt")
    with pytest.raises(InputError, match=r"no file of .* is documentation"):
        sources(tmp_path, format="python-docs")


def test_no_input_at_all_is_an_error() -> None:
    with pytest.raises(InputError, match=r"ingest\.inputs"):
        discover(IngestConfig())


def test_the_fingerprint_changes_with_name_size_and_time(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "b.txt")
    config = IngestConfig(inputs=(str(tmp_path),))
    first = fingerprint(discover(config))
    assert fingerprint(discover(config)) == first
    os.utime(tmp_path / "a.txt", ns=(1, 1))
    second = fingerprint(discover(config))
    (tmp_path / "a.txt").write_text("longer", encoding="utf-8")
    os.utime(tmp_path / "a.txt", ns=(1, 1))
    third = fingerprint(discover(config))
    (tmp_path / "a.txt").rename(tmp_path / "c.txt")
    fourth = fingerprint(discover(config))
    assert len({first, second, third, fourth}) == 4


def test_the_fingerprint_does_not_depend_on_where_the_files_lie(tmp_path: Path) -> None:
    for name in ("here", "there"):
        make(tmp_path, f"{name}/a.txt")
        os.utime(tmp_path / name / "a.txt", ns=(5, 5))
    here, there = (
        fingerprint(discover(IngestConfig(inputs=(str(tmp_path / n),)))) for n in ("here", "there")
    )
    assert here == there


def test_a_file_of_the_installation_is_found_where_this_machine_has_it() -> None:
    path, source = next(item for item in installation.files() if item[1] == "stdlib/json/__init__.py")
    assert installation.here(path, source) == path
    elsewhere = f"/environment/of/another/node/{source}"
    assert Path(installation.here(elsewhere, source)).samefile(path)
    assert installation.here("/no/such/file", "my/own.txt") == "/no/such/file"


def test_the_guide_lists_every_format_and_its_extensions() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "corpus.md").read_text(encoding="utf-8")
    for reader in READERS.values():
        if "auto" in reader.collections:
            assert f"| `{reader.name}` | `{' '.join(reader.extensions)}` |" in guide
            assert reader.name in get_args(Format)
