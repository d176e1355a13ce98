"""HTML, WARC and WET: what becomes a document, what is skipped, and what hostile pages cost."""

from __future__ import annotations

import bz2
import gzip
import lzma
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conf.ingest import IngestConfig
from pipelines.files.record import Fault
from pipelines.ingest.formats.html_encoding import decode_page
from pipelines.ingest.formats.html_text import depth_bound, main_text
from pipelines.ingest.formats.warc_digests import digest_matches
from tests.ingest.support import read_bytes
from tests.ingest.webs import SENTENCES, http, members, page, record, responses, sha1
from tests.ingest.zoo import lz4, zstd

EXTRACTORS = ("trafilatura", "resiliparse")

any_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_the_main_text_comes_without_menu_and_footer(tmp_path: Path, extractor: str) -> None:
    (document,) = read_bytes(tmp_path, "a.html", page(), extractor=extractor).documents
    assert [line for line in document.text.splitlines() if line][-3:] == [f"Entry 0. {s}" for s in SENTENCES]
    assert "About us" not in document.text
    assert "contact" not in document.text
    assert (document.kind, document.offset, document.source_id) == ("page", 0, None)


@pytest.mark.parametrize(
    ("raw", "declared", "text", "replaced"),
    [
        ("\ufeffbäy".encode(), "latin-1", "bäy", False),
        ("bäy".encode("utf-16"), None, "bäy", False),
        ("bäy".encode("utf-16-be"), "utf-16be", "bäy", False),
        ("б".encode("cp1251"), "windows-1251", "б", False),
        (b"<meta charset=koi8-r>" + "б".encode("koi8-r"), None, "<meta charset=koi8-r>б", False),
        (b"<META http-equiv=x content='text/html; charset=gbk'>" + "中".encode("gbk"), "utf-9", "中", False),
        (b"<meta charset=utf-16>a", None, "<meta charset=utf-16>a", False),
        ("bäy".encode(), None, "bäy", False),
        (b"b\xffy", "utf-8", "b\ufffdy", True),
        (b"\x80", "latin-1", "€", False),
    ],
)
def test_the_encoding_is_marked_declared_or_found(
    raw: bytes, declared: str | None, text: str, replaced: bool
) -> None:
    found, was_replaced = decode_page(raw, declared)
    assert found.endswith(text)
    assert was_replaced == replaced


@given(st.binary(max_size=200), st.sampled_from([None, "zip", "idna", "unicode_escape", "utf-7", "hz", "x"]))
def test_any_bytes_and_any_declaration_give_characters(raw: bytes, declared: str | None) -> None:
    decode_page(raw, declared)
    decode_page(b"<meta charset=" + (declared or "").encode() + b">" + raw, None)


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<div>" * 200_000 + "a" + "</div>" * 200_000, "too_large"),
        ("<div>" * 40_000 + "a", "too_deep"),
        ("<div></x>" * 20_000 + "a", "too_deep"),
        ("<b><i>" * 9_000 + "a", "too_deep"),
        ("<p>" + "<a href=x>" * 49_000, "no_main_text"),
        ("<html><body><nav>Home</nav></body></html>", "no_main_text"),
        ("<!-- " * 9_000, "no_main_text"),
        ("<p title='" + "a" * 9_000_000, "too_large"),
    ],
)
def test_hostile_pages_cost_themselves_and_no_more(extractor: str, html: str, reason: str) -> None:
    found = main_text(html, IngestConfig(extractor=extractor))
    # An extractor that takes a page without a main part for its main part gives a text.
    assert not isinstance(found, Fault) or found.reason in {reason, "too_deep", "bad_html"}
    assert isinstance(found, Fault) or reason == "no_main_text"


def test_what_the_parser_would_drop_in_silence_is_a_fault() -> None:
    text = "<p>" + SENTENCES[0] * 5 + "</p>"
    config = IngestConfig()
    assert isinstance(main_text("<div>" * 200 + text, config), str)
    found = main_text(text + "<div>" * 300 + text, config)
    assert isinstance(found, Fault)
    assert found.reason == "too_deep"


@given(st.text("<>/ab!- \"'=&;#0", max_size=300), st.sampled_from(EXTRACTORS))
def test_no_markup_at_all_breaks_an_extractor(html: str, extractor: str) -> None:
    found = main_text(html, IngestConfig(extractor=extractor))
    assert isinstance(found, (str, Fault))
    assert main_text(html, IngestConfig(extractor=extractor)) == found


@pytest.mark.parametrize(
    ("html", "depth"),
    [(b"<div><b>a</b></div><div>", 2), (b"<br><p>a<p>b", 0), (b"<div></x><div></x>", 2), (b"<DIV></div>", 1)],
)
def test_depth_is_bounded_by_open_tags(html: bytes, depth: int) -> None:
    assert depth_bound(html) == depth


def test_a_response_becomes_a_document_with_what_the_crawler_knew(tmp_path: Path) -> None:
    content = b"".join(responses(3))
    found = read_bytes(tmp_path, "a.warc", content)
    second = found.documents[1]
    assert second.url == "https://example.org/1"
    assert second.source_id == "<urn:uuid:0000-1>"
    assert second.metadata == {
        "warc_date": "2026-03-01T12:00:00Z",
        "content_type": "text/html",
        "http_status": "200",
    }
    assert [content[d.offset :].startswith(b"WARC/1.1\r\n") for d in found.documents] == [True] * 3
    assert found.documents[0].offset == 0
    packed = read_bytes(tmp_path, "a.warc.gz", members(responses(3)))
    assert packed.documents == found.documents


def test_what_is_no_page_is_skipped_and_counted(tmp_path: Path) -> None:
    records = [
        record(b"software: x\r\n", "warcinfo"),
        record(b"GET / HTTP/1.1\r\n\r\n", "request"),
        *responses(2),
        record(http(b"gone", "404 Not Found")),
        record(http(b"", "301 Moved")),
        record(http(b"%PDF", content_type="application/pdf")),
        record(http(b"\x00" * 9_000_000, content_type="video/mp4")),
        record(http(b"?", content_type="")),
        record(b"127.0.0.1", Content_Type="text/dns"),
        record(b"x", "wonderful"),
    ]
    found = read_bytes(tmp_path, "a.warc.gz", members(records))
    assert (len(found.documents), found.quarantined) == (2, [])
    assert found.summary.skipped == {
        "warcinfo": 1,
        "request": 1,
        "HTTP status other than 200": 2,
        "response other than HTML": 3,
        "response without HTTP": 1,
        "unknown record type": 1,
    }
    only_skipped = read_bytes(tmp_path, "b.warc", records[0])
    assert (only_skipped.summary.records, only_skipped.summary.state) == (0, "read")


def test_encodings_of_the_body_are_undone_within_the_limit(tmp_path: Path) -> None:
    body = page()
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:99], body[99:])) + b"0\r\n\r\n"
    bomb = gzip.compress(bytes(64 * 2**20))
    records = [
        record(http(gzip.compress(body), Content_Encoding="gzip")),
        record(http(zlib.compress(body), Content_Encoding="deflate")),
        record(http(chunked, Transfer_Encoding="chunked")),
        record(http(bomb, Content_Encoding="gzip")),
        record(http(gzip.compress(body)[:-99], Content_Encoding="gzip")),
    ]
    found = read_bytes(tmp_path, "a.warc", b"".join(records))
    assert len(found.documents) == 3
    assert len({d.text for d in found.documents}) == 1
    assert found.reasons == [("row", "too_large"), ("row", "bad_http")]


@pytest.mark.parametrize("name", ["WARC_Block_Digest", "WARC_Payload_Digest"])
@pytest.mark.parametrize("right", [True, False])
def test_digests_are_checked(tmp_path: Path, name: str, right: bool) -> None:
    block = http(page())
    content = block if name == "WARC_Block_Digest" else page()
    digest: dict[str, Any] = {name: sha1(content if right else content + b" ")}
    found = read_bytes(tmp_path, "a.warc", record(block, **digest))
    assert found.reasons == ([] if right else [("row", "bad_digest")])
    assert len(found.documents) == right


@pytest.mark.parametrize(
    ("stated", "matches"),
    [
        ("sha1:VGMT4NSHA2AWVOR6EVYXQUGCNSONBWE5", None),
        ("sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709", True),
        ("sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ", True),
        ("md5:d41d8cd98f00b204e9800998ecf8427e", True),
        ("SHA-256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", True),
        ("md5:00", False),
        ("crc32:00000000", None),
        ("nothing", None),
    ],
)
def test_digests_have_several_forms(stated: str, matches: bool | None) -> None:
    found = digest_matches(stated, b"")
    assert found is (False if stated.startswith("sha1:VG") else matches)


def test_a_body_shorter_than_http_says_is_a_fault_unless_the_crawler_vouches_for_it(tmp_path: Path) -> None:
    block = http(page(), Content_Length=str(len(page()) + 9))
    assert read_bytes(tmp_path, "a.warc", record(block)).reasons == [("row", "bad_length")]
    vouched: list[dict[str, Any]] = [{"WARC_Block_Digest": sha1(block)}, {"WARC_Truncated": "length"}]
    for fields in vouched:
        found = read_bytes(tmp_path, "b.warc", record(block, **fields))
        assert len(found.documents) == 1
        assert found.documents[0].metadata.get("warc_truncated") == fields.get("WARC_Truncated")


@any_folder
@given(st.integers(0, 5), st.integers(-300, 3000).filter(bool))
@example(0, 256)
def test_a_wrong_length_costs_one_record(tmp_path: Path, which: int, excess: int) -> None:
    records = responses()
    block = http(page(which))
    records[which] = record(block, number=which, length=len(block) + excess)
    found = read_bytes(tmp_path, "a.warc", b"".join(records))
    others = [n for n in range(6) if n != which]
    assert [d.url for d in found.documents] == [f"https://example.org/{n}" for n in others]
    assert len(found.quarantined) == 1


def test_a_record_is_whole_though_the_file_ends_in_the_first_word_of_the_next(tmp_path: Path) -> None:
    records = responses()
    for behind in range(1, len(b"WARC/") + 1):
        found = read_bytes(tmp_path, "a.warc", records[0] + records[1][:behind])
        assert (len(found.documents), len(found.quarantined)) == (1, 1), behind


@any_folder
@given(st.data(), st.booleans())
def test_a_cut_costs_what_lies_behind_it(tmp_path: Path, data: st.DataObject, packed: bool) -> None:
    records = responses()
    content = members(records) if packed else b"".join(records)
    cut = data.draw(st.integers(1, len(content) - 1))
    found = read_bytes(tmp_path, "a.warc.gz" if packed else "a.warc", content[:cut])
    parts = [len(gzip.compress(r)) if packed else len(r) for r in records]
    whole = sum(sum(parts[: n + 1]) <= cut for n in range(6))
    # The line breaks behind a record that is whole may be missing.
    assert len(found.documents) - whole in (0, 1)
    assert len(found.quarantined) <= 1
    if len(found.documents) == whole and sum(parts[:whole]) != cut:
        assert len(found.quarantined) == 1


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=\xff\xfe\r\n\r\n", True),
        (b"HTTP/1.0 200\nContent-Type: text/html\n\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: \xfe\r\n\r\n", True),
        (b"HTTP/1.1 99999999999999999999999 OK\r\nContent-Type: text/html\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: br\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2**20 + b"\r\n\r\n", False),
        (b"", False),
    ],
)
def test_http_as_servers_send_it(tmp_path: Path, head: bytes, kept: bool) -> None:
    found = read_bytes(tmp_path, "a.warc", record(head + page()))
    assert found.texts == ([main_text(page().decode(), IngestConfig())] if kept else [])
    assert found.reasons == ([] if kept else [("row", "bad_http")])


@pytest.mark.parametrize(
    ("compress", "name"),
    [
        (bz2.compress, "a.warc.bz2"),
        (zstd, "a.warc.zst"),
        (lzma.compress, "a.warc.xz"),
        (lz4, "a.warc.lz4"),
    ],
)
def test_other_compressions_hold_as_a_whole(
    tmp_path: Path, compress: Callable[[bytes], bytes], name: str
) -> None:
    packed = compress(b"".join(responses()))
    assert len(read_bytes(tmp_path, name, packed).documents) == 6
    assert read_bytes(tmp_path, name, packed[:-9]).reasons == [("file", "truncated")]


def test_a_damaged_record_among_good_ones(tmp_path: Path) -> None:
    good = responses()
    bad = {
        "bad_warc": b"WARC/1.1\r\nno colon\r\n\r\n",
        "bad_length": b"WARC/1.1\r\nWARC-Type: response\r\nContent-Length: -5\r\n\r\n",
        "bad_http": record(b"<html>no status line</html>"),
    }
    for reason, raw in bad.items():
        found = read_bytes(tmp_path, "a.warc", good[0] + raw + good[1])
        assert len(found.documents) == 2
        assert found.reasons == [("row", reason)]


def test_wrong_lengths_by_the_thousand_are_read_in_linear_time(tmp_path: Path) -> None:
    def seconds(count: int) -> float:
        liar = b"WARC/1.1\r\nWARC-Type: response\r\nContent-Length: 7000000\r\n\r\n"
        content = liar * count + b" " * 7_000_000
        started = time.process_time()
        found = read_bytes(tmp_path, "a.warc", content)
        assert found.summary.kept == 0
        return time.process_time() - started

    seconds(1)
    few, many = seconds(500), seconds(5000)
    assert many < 60 * max(few, 0.05)


def test_wet_texts_are_taken_as_they_are(tmp_path: Path) -> None:
    text = "Erste Zeile\r\nzweite – Zeile\n"
    records = [
        record(b"x: y", "warcinfo"),
        record(text.encode(), "conversion", 1, WARC_Identified_Content_Language="deu"),
        record(b"a" * 101, "conversion", 2),
        record(b"<p>", "conversion", 3, Content_Type="text/html"),
    ]
    found = read_bytes(tmp_path, "a.warc.wet.gz", members(records), max_document_bytes=100)
    (document,) = found.documents
    assert document.text == "Erste Zeile\nzweite – Zeile"
    assert (document.url, document.metadata["languages"]) == ("https://example.org/1", "deu")
    assert found.reasons == [("row", "too_large")]
    assert found.summary.skipped == {"warcinfo": 1, "conversion other than text": 1}


def test_a_bomb_of_members_is_refused(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, "a.warc.gz", gzip.compress(bytes(64 * 2**20)))
    assert found.reasons == [("file", "bomb")]
    found = read_bytes(tmp_path, "b.warc.gz", members(responses()), max_file_bytes=2000)
    assert found.reasons == [("file", "too_large")]
