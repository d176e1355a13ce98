"""Files as others write them: codings that lie, charsets, blank texts, JSON and CSV of other shapes."""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import brotli
import pyarrow as pa
import pytest

from pipelines.ingest import readers
from pipelines.ingest.formats.arrow_values import column_values
from pipelines.ingest.formats.html_encoding import decode_page
from pipelines.text.blank import blanks, is_blank
from tests.ingest.support import read_bytes
from tests.ingest.webs import http, page, parquet, record


def raw_deflate(content: bytes) -> bytes:
    return zlib.compress(content)[2:-4]


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        *((coding, page()) for coding in ("br", "gzip", "deflate", "zstd", "none", "UTF-8", "x-unheard-of")),
        ("deflate", raw_deflate(page())),
        ("gzip, br", brotli.compress(gzip.compress(page()))),
        ("gzip", gzip.compress(page()[:99]) + gzip.compress(page()[99:])),
    ],
)
def test_the_body_decides_and_not_its_header(tmp_path: Path, coding: str, body: bytes) -> None:
    plain = read_bytes(tmp_path, "plain.warc", record(http(page())))
    found = read_bytes(tmp_path, "a.warc", record(http(body, Content_Encoding=coding)))
    assert found.texts == plain.texts
    assert not found.quarantined


def chunked(body: bytes, extension: bytes = b"") -> bytes:
    """A body in chunks of 40 bytes, each with an extension (RFC 9112, 7.1.1)."""
    parts = [body[at : at + 40] for at in range(0, len(body), 40)]
    return b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in [*parts, b""])


@pytest.mark.parametrize(
    "body",
    [
        page(),
        chunked(page()),
        chunked(page(), b";ieof=1"),
        chunked(page(), b'; name = "a value" ;other'),
    ],
    ids=["plain", "chunks", "extension", "quoted extension"],
)
def test_chunks_are_joined_and_a_plain_body_is_taken_as_it_is(tmp_path: Path, body: bytes) -> None:
    plain = read_bytes(tmp_path, "plain.warc", record(http(page())))
    found = read_bytes(tmp_path, "a.warc", record(http(body, Transfer_Encoding="chunked")))
    assert found.texts == plain.texts
    assert not found.quarantined


@pytest.mark.parametrize("at", [0, 2])
def test_an_error_that_no_reader_knows_costs_the_rest_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    jsonl = readers.READERS["jsonl"]

    def failing(*given: Any) -> Iterator[Any]:
        yield from itertools.islice(jsonl.read(*given), at)
        raise KeyError("what nobody thought of")

    monkeypatch.setitem(readers.READERS, "jsonl", replace(jsonl, read=failing))
    found = read_bytes(tmp_path, "a.jsonl", b"".join(b'{"text": "t%d"}\n' % n for n in range(3)))
    assert found.texts == [f"t{n}" for n in range(at)]
    assert found.reasons == [("row" if at else "file", "reader_failed")]
    assert "KeyError: 'what nobody thought of'" in found.quarantined[0].fault.detail


@pytest.mark.parametrize("pack", [brotli.compress, gzip.compress, raw_deflate])
def test_a_cut_body_is_told(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    coding = {brotli.compress: "br", gzip.compress: "gzip", raw_deflate: "deflate"}[pack]
    block = http(pack(page())[:-30], Content_Encoding=coding)
    silent = read_bytes(tmp_path, "a.warc", record(block))
    assert silent.reasons == [("row", "bad_http")]
    assert "cut" in silent.quarantined[0].fault.detail
    told = read_bytes(tmp_path, "b.warc", record(block, WARC_Truncated="length"))
    assert [(d.metadata["warc_truncated"], "cut" in d.metadata["body_cut"]) for d in told.documents] == [
        ("length", True)
    ]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n", b"\n", b"", b"\r\n" * 5])
@pytest.mark.parametrize("version", [b"WARC/0.17", b"WARC/0.18", b"WARC/1.0"])
def test_records_end_as_writers_end_them(tmp_path: Path, end: bytes, version: bytes) -> None:
    records = [record(http(page(n)), number=n) for n in range(3)]
    content = b"".join(one.removesuffix(b"\r\n\r\n") + end for one in records)
    found = read_bytes(tmp_path, "a.warc", content.replace(b"WARC/1.1", version))
    assert len(found.documents) == 3
    assert not found.quarantined


@pytest.mark.parametrize(
    ("raw", "label", "text"),
    [
        ("①㈱".encode("cp932"), "shift_jis", "①㈱"),
        ("镕".encode("gb18030"), "gb2312", "镕"),
        ("똠".encode("cp949"), "ks_c_5601-1987", "똠"),
        (b"\xad\xa1", "euc-jp", "①"),
        (b"It\x92s", "iso-8859-1", "It’s"),
        (b"It\x92s", None, "It’s"),
        (b"\xff", "x-user-defined", "\uf7ff"),
    ],
)
def test_labels_stand_for_what_the_web_means(raw: bytes, label: str | None, text: str) -> None:
    assert decode_page(raw, label) == (text, False)


def test_a_late_declaration_counts_and_one_in_a_comment_does_not() -> None:
    late = b"<!-- <meta charset=koi8-r> --><script>'<meta charset=big5>'</script>" + b" " * 5000
    late += b"<meta charset=euc-kr>" + "한".encode("euc-kr")
    assert decode_page(late, None)[0].endswith("한")


@pytest.mark.parametrize("text", ["", " ", "\u200b", "\u3164", "\ufe0f", "\u3000\n", "\x1f", "\u2800"])
def test_a_text_that_shows_nothing_is_quarantined_on_either_side(tmp_path: Path, text: str) -> None:
    assert is_blank(text)
    rows = [{"text": text, "t": "a"}, {"text": "a", "t": text}, {"text": "a", "t": "b"}]
    found = read_bytes(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)).encode(), target_field="t")
    assert found.reasons == [("row", "text_is_blank"), ("row", "target_is_blank")]
    assert found.texts == ["a"]


def test_blank_texts_of_a_column() -> None:
    assert blanks(pa.array(["", None, " \u200b", "a", "\u0600"])).tolist() == [
        True,
        False,
        True,
        False,
        False,
    ]


def test_values_that_python_does_not_hold(tmp_path: Path) -> None:
    columns = {
        "text": pa.array(["near", "far"], pa.string_view()),
        "id": pa.array([0, 2**30], pa.date32()),
        "a.b": pa.array([0, 2**62], pa.timestamp("us", "Mars/Olympus")),
        "d": pa.array([-1500, 2**62], pa.duration("ms")),
    }
    found = read_bytes(tmp_path, "a.parquet", parquet(columns), metadata_fields=("a.b", "d"))
    assert [(d.text, d.source_id, d.metadata["a.b"], d.metadata["d"]) for d in found.documents] == [
        ("near", "1970-01-01", "1970-01-01 00:00:00+00:00", "-PT1.500S"),
        ("far", "+2941775-04-07", "+148108-07-06 14:00:27.387904+00:00", "PT4611686018427387.904S"),
    ]


def test_nested_values_are_told_in_slices_too() -> None:
    column = pa.array([[("a", 1)], None, [("b", 2), ("b", 3)]], pa.map_(pa.string(), pa.int8()))
    assert column_values(column) == [{"a": 1}, None, [("b", 2), ("b", 3)]]
    assert column_values(column.slice(1)) == [None, [("b", 2), ("b", 3)]]


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_json_lines_under_the_name_json(tmp_path: Path, name: str) -> None:
    content = b'{"text": "a"}\n{"text": "b"}\n'
    packed = gzip.compress(content) if name.endswith("gz") else content
    assert read_bytes(tmp_path, name, packed).texts == ["a", "b"]


@pytest.mark.parametrize("content", [b'[{"text": "a"}]', b'[\n {"text": "a"}\n]', b'{\n "text": "a"\n}'])
def test_other_json_is_refused_with_a_way_out(tmp_path: Path, content: bytes) -> None:
    found = read_bytes(tmp_path, "a.json", content)
    assert found.reasons == [("file", "not_json_lines")]
    assert "jq -c" in found.quarantined[0].fault.detail


@pytest.mark.parametrize("inside", [b"%s\nl1\nl2", b"l0\n%s\nl2\n", b'%s""\nl1\n""l2'])
def test_the_lines_of_a_field_above_the_limit_are_no_documents(tmp_path: Path, inside: bytes) -> None:
    field = inside % (b"x" * 1_200_000)
    content = b'text\nbefore\n"' + field + b'"\nafter\n'
    found = read_bytes(tmp_path, "a.csv", content, max_document_bytes=1000)
    assert (found.texts, found.reasons) == (["before", "after"], [("row", "too_large")])


@pytest.mark.parametrize("mark", [";", "|", "\t", "\x01", "^"])
def test_other_delimiters_are_named_or_hinted_at(tmp_path: Path, mark: str) -> None:
    content = f"id{mark}text\n1{mark}a,b\n".encode()
    assert read_bytes(tmp_path, "a.csv", content, delimiter=mark).texts == ["a,b"]
    found = read_bytes(tmp_path, "a.csv", content)
    assert found.reasons == [("file", "missing_text")]
    assert ("ingest.delimiter" in found.quarantined[0].fault.detail) == (mark in ";|\t")
