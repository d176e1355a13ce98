"""What holds for any input at all: nothing raises, everything is counted, memory is bounded."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.text.blank import is_blank
from tests.ingest.support import read_bytes

any_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

# Bytes that readers treat in a special way come up more often than chance would bring them.
PIECES = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b"\r",
        b"\x00",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b'{"text": "a"}',
        b'{"text":',
        b"[",
        b'"',
        b" ",
        b",",
        b"\t",
        b"text,",
        b"<div>",
        b"<p>a",
        b"WARC/1.1\r\nWARC-Type: conversion\r\nContent-Length: 1\r\n\r\n",
        b"\r\n\r\n",
        b"PAR1",
        b'{"messages":[{"role":"assistant","content":"a"}]}',
        b'{"data":[{"paragraphs":[{"context":"a","qas":[',
        b'{"id":"1","question":"b","answers":[{"text":"a","answer_start":0}]}',
        b"]}]}]}",
        b'msgid "a"\n',
        b'msgstr "b"\n',
        b"#, fuzzy\n",
        b"\xde\x12\x04\x95" + bytes(4),
    ]
)
CONTENT = st.one_of(st.binary(max_size=300), st.lists(st.one_of(PIECES, st.binary(max_size=5))).map(b"".join))
NAMES = st.sampled_from(
    [
        *("a.jsonl", "a.txt", "a.jsonl.gz", "a.txt.zst", "a.txt.bz2", "a.py", "a.md", "METADATA"),
        *("a.csv", "a.tsv", "a.html", "a.parquet", "a.warc", "a.wet", "a.warc.gz", "a.csv.gz"),
        *("chat.jsonl", "squad.json", "a.mo", "a.po"),
    ]
)
FORMATS = {
    **dict.fromkeys(("a.py", "a.md", "METADATA"), "python-docs"),
    **dict.fromkeys(("a.mo", "a.po"), "catalogues"),
    "chat.jsonl": "chat",
    "squad.json": "squad",
}


@any_folder
@given(NAMES, CONTENT, st.sampled_from(["line", "paragraph", "file"]), st.integers(1, 40))
@example("a.txt", b"\r" * 100_000, "line", 1)
@example("a.warc", b"WARC/1.0\n:\nContent-Length:0\n\n", "line", 1)
def test_any_bytes_are_read_or_quarantined(
    tmp_path: Path, name: str, content: bytes, unit: str, max_bytes: int
) -> None:
    format = FORMATS.get(name, "auto")
    found = read_bytes(
        tmp_path,
        name,
        content,
        text_unit=unit,
        max_document_bytes=max_bytes,
        format=format,
    )
    assert found.summary.kept == len(found.documents)
    assert found.summary.quarantined == len(found.quarantined)
    assert found.summary.records == len(found.documents) + len(found.quarantined)
    # A record of a type without text is passed over, and counted as such.
    assert format == "python-docs" or found.summary.records > 0 or sum(found.summary.skipped.values()) > 0
    for document in found.documents:
        assert len(document.text.encode()) <= max_bytes
        assert 0 <= document.offset < max(1, len(content))
    if any(row.scope == "file" for row in found.quarantined):
        assert not found.documents
        assert len(found.quarantined) == 1


@any_folder
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r\ufeff\x00"), min_size=1)))
def test_lines_come_back_as_they_were_written(tmp_path: Path, lines: list[str]) -> None:
    wanted = [line for line in lines if line.encode().strip()]
    found = read_bytes(tmp_path, "a.txt.gz", gzip.compress("\n".join(lines).encode()))
    assert found.texts == [line for line in wanted if not is_blank(line)]
    assert len(found.texts) + found.reasons.count(("row", "text_is_blank")) == len(wanted)


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.txt.gz"])
def test_one_endless_line_is_not_held_in_memory(tmp_path: Path, name: str) -> None:
    content = b'{"text": "' + b"a" * (64 * 2**20) + b'"}\n{"text": "b"}\n'
    packed = gzip.compress(content, 1)
    del content
    tracemalloc.start()
    try:
        found = read_bytes(tmp_path, name, packed, max_document_bytes=2**20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.reasons == [("row", "too_large")]
    assert len(found.documents) == 1
    assert peak < 24 * 2**20, f"{peak / 2**20:.0f} MiB for a line of 64 MiB"
