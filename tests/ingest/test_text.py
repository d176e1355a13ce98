"""Plain text as lines, paragraphs and whole files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ingest.support import read_bytes

TEXT = "\ufeffone\r\ntwo\n\n \t\nthree\rx\r\r\n\nfour".encode()


def test_lines(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, "a.txt", TEXT, text_unit="line")
    assert found.texts == ["one", "two", "three\rx", "four"]
    assert [document.offset for document in found.documents] == [3, 8, 16, 27]
    assert {document.kind for document in found.documents} == {"line"}


def test_paragraphs(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, "a.txt", TEXT, text_unit="paragraph")
    assert found.texts == ["one\ntwo", "three\rx", "four"]
    assert [document.offset for document in found.documents] == [3, 16, 27]


def test_a_whole_file(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, "a.txt", TEXT, text_unit="file")
    assert found.texts == ["one\ntwo\n\n \t\nthree\rx\n\nfour"]
    assert found.documents[0].offset == 3


def test_a_bad_byte_costs_its_line_its_paragraph_or_its_file(tmp_path: Path) -> None:
    content = b"one\ntwo\r\n\xff\n\nthree"
    lines = read_bytes(tmp_path, "a.txt", content, text_unit="line")
    assert (lines.texts, lines.reasons) == (["one", "two", "three"], [("row", "not_utf8")])
    paragraphs = read_bytes(tmp_path, "a.txt", content, text_unit="paragraph")
    assert (paragraphs.texts, paragraphs.reasons) == (["three"], [("row", "not_utf8")])
    whole = read_bytes(tmp_path, "a.txt", content, text_unit="file")
    assert (whole.texts, whole.reasons) == ([], [("file", "not_utf8")])
    for found in (lines, paragraphs, whole):
        (bad,) = found.quarantined
        assert (bad.fault.offset, bad.fault.line) == (9, 3)


@pytest.mark.parametrize(("size", "kept"), [(50, 1), (51, 0)])
@pytest.mark.parametrize("unit", ["line", "paragraph", "file"])
def test_the_limit_on_a_document_counts_its_bytes(tmp_path: Path, unit: str, size: int, kept: int) -> None:
    content = ("é" * 25 if size == 50 else "é" * 25 + "a").encode()
    found = read_bytes(tmp_path, "a.txt", content, text_unit=unit, max_document_bytes=50)
    assert len(found.documents) == kept
    assert found.summary.records == 1


def test_a_paragraph_of_many_lines_is_limited_as_a_whole(tmp_path: Path) -> None:
    content = b"12345\n" * 8 + b"\n" + b"12345\n" * 9 + b"\nend"
    found = read_bytes(tmp_path, "a.txt", content, text_unit="paragraph", max_document_bytes=47)
    assert [len(text) for text in found.texts] == [47, 3]
    (bad,) = found.quarantined
    assert (bad.fault.reason, bad.fault.offset, bad.fault.line) == ("too_large", 49, 10)
    assert "53 bytes" in bad.fault.detail


def test_one_line_that_is_too_long_in_a_paragraph_costs_the_paragraph(tmp_path: Path) -> None:
    content = b"a\n" + b"b" * 1000 + b"\nc\n\nd"
    found = read_bytes(tmp_path, "a.txt", content, text_unit="paragraph", max_document_bytes=100)
    assert found.texts == ["d"]
    assert "1,004 bytes" in found.quarantined[0].fault.detail
