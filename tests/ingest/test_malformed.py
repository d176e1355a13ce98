"""Every kind of bad input ends as it should, and is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.ingest.support import read, read_bytes
from tests.ingest.zoo import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_kind_ends_as_expected(tmp_path: Path, case: Case) -> None:
    found = read_bytes(tmp_path, case.name, case.content)
    assert len(found.documents) == case.kept
    expected = [("file", case.file_reason)] if case.file_reason else [("row", r) for r in case.row_reasons]
    assert found.reasons == expected
    assert found.summary.repaired == case.repaired
    assert found.summary.records == case.kept + len(expected)
    if case.lines:
        assert tuple(row.fault.line for row in found.quarantined) == case.lines
    for row in found.quarantined:
        assert row.fault.detail
        assert len(row.fault.excerpt) <= 200
        assert row.fault.excerpt.isprintable()


def test_the_shared_zoo_ends_as_its_manifest_says(shared_data: Path) -> None:
    folder = shared_data / "malformed"
    manifest = [json.loads(line) for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines()]
    assert len(manifest) == 28
    for expected in manifest:
        name = expected["file"]
        columns = {"header": False, "columns": ("id", "lang", "text")} if name.endswith(".tsv") else {}
        found = read(folder / name, **columns)
        outcome = {
            "read": "kept, repaired",
            "partly read": "row quarantined",
            "quarantined": "file quarantined",
        }[found.summary.state]
        assert outcome == expected["expected"], name
        assert len(found.documents) == expected["rows_kept"], name
        assert found.summary.records == len(found.documents) + len(found.quarantined), name
        # Of the four bad lines of this file one is blank, which is no record here, as its note allows.
        rows = {"wrong_columns.tsv": 3}.get(name, expected["rows_quarantined"])
        if rows is not None and outcome == "row quarantined":
            assert len(found.quarantined) == rows, name


def test_a_file_of_any_kind_can_be_forced_into_a_format(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, "notes.xyz", b"first\nsecond\n", format="text")
    assert found.texts == ["first", "second"]


def test_a_row_that_is_too_large_is_quarantined_and_the_rest_stays(tmp_path: Path) -> None:
    lines = [json.dumps({"text": "a" * size}).encode() for size in (100, 101, 5_000_000, 99)]
    found = read_bytes(tmp_path, "a.jsonl", b"\n".join(lines), max_document_bytes=100)
    assert [len(text) for text in found.texts] == [100, 99]
    assert found.reasons == [("row", "too_large")] * 2
    assert [row.fault.line for row in found.quarantined] == [2, 3]
    assert "5,000,012 bytes" in found.quarantined[1].fault.detail
    assert found.documents[1].offset == sum(len(line) + 1 for line in lines[:3])


def test_a_file_that_is_too_large_is_quarantined_before_it_is_read(tmp_path: Path) -> None:
    assert read_bytes(tmp_path, "a.txt", b"x\n" * 51, max_file_bytes=100).reasons == [("file", "too_large")]
    assert len(read_bytes(tmp_path, "b.txt", b"x\n" * 50, max_file_bytes=100).documents) == 50


def test_missing_and_irregular_files_are_quarantined(tmp_path: Path) -> None:
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "nowhere")
    assert read(tmp_path / "dangling.txt").reasons == [("file", "unreadable")]
    import os

    os.mkfifo(tmp_path / "pipe.txt")
    assert read(tmp_path / "pipe.txt").reasons == [("file", "unreadable")]
