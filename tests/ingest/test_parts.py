"""A file read in parts gives the rows that it gives in one piece, wherever it is cut."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf.ingest import IngestConfig
from pipelines.files.record import Document
from pipelines.files.stored import StorageError
from pipelines.ingest import discover, ingest
from pipelines.ingest.discover import InputFile
from pipelines.ingest.parts import Part, parts_of
from pipelines.ingest.read_file import Quarantined, Summary, read_file, read_part
from tests.ingest.test_stage import collect

any_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

PIECES = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b"\r\r\n",
        b"\r",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xff",
        b"  \n",
        b"text",
        b"text\t1\n",
        b'{"text": "a"}\n',
        b'{"text": "a", "text": "b"}\n',
        b'{"text": "' + b"long" * 20 + b'"}\r\n',
        b'{"text":',
        b'{"prompt": "a", "response": "b"}\n',
    ]
)
CONTENT = st.lists(PIECES, max_size=40).map(b"".join)


def in_parts(path: Path, config: IngestConfig, cuts: list[int]) -> tuple[list[object], Summary]:
    """The rows of a file that is cut at any bytes, and its summary, put together as the stage does."""
    (file,) = discover(config)
    edges = sorted({0, *(cut for cut in cuts if 0 < cut < file.num_bytes)})
    ends = [*edges[1:], None]
    return together(
        [Part(file, index, *edge) for index, edge in enumerate(zip(edges, ends, strict=True))], config
    )


def together(parts: list[Part], config: IngestConfig) -> tuple[list[object], Summary]:
    """The rows of all parts of a file, and its summary, put together as the stage does."""
    rows: list[object] = []
    lines = 0
    total = Summary("none", 0, 0, 0, is_whole_file_quarantined=False)
    for part in parts:
        *found, summary = read_part(part, config)
        assert isinstance(summary, Summary)
        rows += [_numbered(row, lines) if part.index else row for row in found]
        lines += summary.num_lines
        total = Summary(
            summary.compression,
            total.kept + summary.kept,
            total.quarantined + summary.quarantined,
            total.repaired + summary.repaired,
            total.is_whole_file_quarantined or summary.is_whole_file_quarantined,
        )
    return rows, total


def check_equal(found: tuple[list[object], Summary], file: InputFile, config: IngestConfig) -> None:
    """What was put together of parts are the rows and the summary of the whole file."""
    rows, total = found
    *expected, summary = read_file(file, config)
    if not rows:
        # That no part has a record is for the stage to say, see below.
        (only,) = expected
        assert isinstance(only, Quarantined)
        assert only.fault.reason == "empty"
        return
    assert rows == expected
    assert total == summary


def _numbered(row: object, lines: int) -> object:
    if isinstance(row, Quarantined) and row.fault.line is not None:
        return Quarantined(row.scope, replace(row.fault, line=row.fault.line + lines))
    return row


@any_folder
@given(
    st.sampled_from(["a.jsonl", "a.txt", "a.tsv", "chat"]),
    CONTENT,
    st.lists(st.integers(0, 400)),
    st.integers(1, 60),
)
@example("a.txt", b"\xff\xfea\n\x00b\n\x00", [2, 4], 60)
@example("a.tsv", b"a\t1\nb\t2\n\nc\n", [2, 4, 6, 8], 60)
@example("a.txt", b"a\n\xef\xbb\xbfb\n", [2], 60)
@example("a.txt", b"a" * 50 + b"\nb", [10, 20, 49, 50, 51, 52], 8)
def test_any_cuts_give_the_rows_of_the_whole(
    tmp_path: Path, name: str, content: bytes, cuts: list[int], max_bytes: int
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    config = IngestConfig(
        inputs=(str(path),),
        max_document_bytes=max_bytes,
        header=False,
        columns=("text", "id"),
        label_field="text",
        format="chat" if name == "chat" else "auto",
    )
    (file,) = discover(config)
    check_equal(in_parts(path, config, cuts), file, config)


@any_folder
@given(
    st.sampled_from(["a.jsonl", "a.txt", "a.tsv"]), CONTENT, st.integers(2, 9), st.sampled_from(["gz", "zst"])
)
@example("a.txt", b"\xff\xfea\n\x00b\n\x00", 2, "gz")
@example("a.txt", b"a\n\xef\xbb\xbfb\n", 2, "zst")
@example("a.txt", b"a\n", 9, "gz")
@example("a.txt", b"a" * (3 * 2**20) + b"\nb\n", 3, "gz")
def test_shares_of_a_compressed_file_give_the_rows_of_the_whole(
    tmp_path: Path, name: str, content: bytes, of: int, extension: str
) -> None:
    path = tmp_path / f"{name}.{extension}"
    pack = gzip.compress if extension == "gz" else lambda raw: pa.compress(raw, "zstd", asbytes=True)
    path.write_bytes(pack(content))
    config = IngestConfig(inputs=(str(path),), header=False, columns=("text", "id"))
    (file,) = discover(config)
    check_equal(together([Part(file, index, of=of) for index in range(of)], config), file, config)


@pytest.mark.parametrize("damage", ["cut", "checksum", "plain"])
def test_a_damaged_compressed_file_is_refused_once(tmp_path: Path, damage: str) -> None:
    content = b'{"text": "a line"}\n' * 1000
    packed = gzip.compress(content)
    broken = {"cut": packed[:-9], "checksum": packed[:-6] + b"xx" + packed[-4:], "plain": content}
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(broken[damage])
    config = IngestConfig(inputs=(str(path),))
    (file,) = discover(config)
    *expected, summary = read_file(file, config)
    rows, total = together([Part(file, index, of=3) for index in range(3)], config)
    assert rows == expected
    assert isinstance(summary, Summary)
    assert total == replace(summary, compression=total.compression)


@pytest.mark.parametrize("content", [b"one\ntwo\n\nthree\r\nfour", b"\n\n\n", b"long" * 40])
@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_cuts_everywhere(tmp_path: Path, content: bytes, step: int) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    config = IngestConfig(inputs=(str(path),))
    (file,) = discover(config)
    expected = [row for row in read_file(file, config) if isinstance(row, Document)]
    rows, _ = in_parts(path, config, list(range(0, len(content), step)))
    assert [row for row in rows if isinstance(row, Document)] == expected


def test_only_large_files_of_lines_are_cut(tmp_path: Path) -> None:
    size = 3 * 2**16
    contents = {
        "a.jsonl": b"x" * size,
        "b.txt": b"x" * (2**16 + 1),
        "small.txt": b"x" * 2**16,
        "c.jsonl.gz": gzip.compress(b"x" * (size - 100), 0),
        "d.jsonl.gz": gzip.compress(b"x" * size, 9),
        "e.jsonl.bz2": b"x" * size,
        "page.md": b"x" * size,
        "huge.txt": b"x" * (size + 1),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    config = IngestConfig(inputs=(str(tmp_path),), split_bytes=2**16, max_file_bytes=size)
    cut = {file.source: [_range(p) for p in parts_of(file, config)] for file in discover(config)}
    thirds = [(0, 2**16), (2**16, 2**17), (2**17, None)]
    whole = [(0, None)]
    assert cut == {
        "a.jsonl": thirds,
        "b.txt": [(0, 2**16), (2**16, None)],
        "small.txt": whole,
        "c.jsonl.gz": ["1 of 2", "2 of 2"],
        "d.jsonl.gz": whole,
        "e.jsonl.bz2": whole,
        "page.md": whole,
        "huge.txt": whole,
    }
    paragraphs = config.model_copy(update={"text_unit": "paragraph"})
    (file,) = (file for file in discover(paragraphs) if file.source == "b.txt")
    assert [part.is_whole for part in parts_of(file, paragraphs)] == [True]


def _range(part: Part) -> str | tuple[int, int | None]:
    return f"{part.index + 1} of {part.of}" if part.of > 1 else (part.start, part.end)


def test_a_file_that_changes_between_its_parts_fails_the_run(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\ntwo\n")
    config = IngestConfig(inputs=(str(path),))
    (file,) = discover(config)
    path.write_bytes(b"one\ntwo\nthree\n")
    with pytest.raises(StorageError, match="8 bytes when it was listed, 14 now"):
        list(read_part(Part(file, 1, 4, None), config))


def test_the_tables_do_not_depend_on_the_size_of_parts(spark: SparkSession, tmp_path: Path) -> None:
    lines = [json.dumps({"id": i, "text": "water " * (i % 50 + 1)}) for i in range(2500)]
    for number in (3, 700, 1900, 2499):
        lines[number] = '{"text": '
    (tmp_path / "a.jsonl").write_bytes(("\n".join(lines)).encode())
    (tmp_path / "blank.jsonl").write_bytes(b" \n" * 100_000)
    (tmp_path / "utf16.txt").write_bytes(("line\n" * 40_000).encode("utf-16"))
    random_ids = random.Random(4)
    dense = [json.dumps({"text": random_ids.randbytes(100).hex()}) for _ in range(2000)]
    dense[1500] = "{"
    (tmp_path / "dense.jsonl.gz").write_bytes(gzip.compress("\n".join(dense).encode()))
    (tmp_path / "dense.jsonl.zst").write_bytes(pa.compress("\n".join(dense).encode(), "zstd", asbytes=True))
    (tmp_path / "packed.jsonl").write_bytes(gzip.compress("\n".join(lines).encode(), 0))
    found = []
    for size in (2**16, 2**30):
        config = IngestConfig(inputs=(str(tmp_path),), split_bytes=size)
        tables = collect(ingest(spark, config))
        found.append({name: sorted(map(str, rows)) for name, rows in tables.items()})
    assert found[0] == found[1]
    sources = {row["source"]: (row["records"], row["state"]) for row in tables["sources"]}
    assert sources == {
        "a.jsonl": (2500, "partly read"),
        "blank.jsonl": (1, "quarantined"),
        "dense.jsonl.gz": (2000, "partly read"),
        "dense.jsonl.zst": (2000, "partly read"),
        "utf16.txt": (1, "quarantined"),
        "packed.jsonl": (2500, "partly read"),
    }
    bad = sorted(row["line"] for row in tables["quarantine"] if row["source"] == "a.jsonl")
    assert bad == [4, 701, 1901, 2500]
    assert {row["line"] for row in tables["quarantine"] if row["source"].startswith("dense")} == {1501}
