"""Ids, offsets, excerpts and the repair of what cannot be stored."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.files.record import document_id, excerpt, repair
from tests.ingest.support import read_bytes


def test_an_id_depends_on_source_offset_and_text_and_nothing_else() -> None:
    first = document_id("a.jsonl", 0, "text")
    assert first == document_id("a.jsonl", 0, "text")
    others = {
        document_id("b.jsonl", 0, "text"),
        document_id("a.jsonl", 1, "text"),
        document_id("a.jsonl", 0, "t"),
    }
    assert len({first, *others}) == 4
    assert len(first) == 32
    assert int(first, 16) >= 0


def test_the_id_is_xxh3_128_of_the_three_joined_by_nul() -> None:
    import xxhash

    assert document_id("ä", 7, "b") == xxhash.xxh3_128(b"\xc3\xa4\x007\x00b").hexdigest()


def test_fields_cannot_be_shifted_into_each_other() -> None:
    assert document_id("a", 1, "1b") != document_id("a", 11, "b")


@given(st.text(st.characters(codec=None)))
def test_repaired_text_can_be_stored_and_good_text_stays(text: str) -> None:
    repaired, changed = repair(text)
    repaired.encode("utf-8")
    assert "\x00" not in repaired
    assert changed == (repaired != text)
    assert repair(repaired) == (repaired, False)
    if changed:
        assert "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text)


@given(st.one_of(st.binary(), st.text(st.characters(codec=None))))
def test_an_excerpt_is_short_and_printable(raw: bytes | str) -> None:
    shown = excerpt(raw)
    assert len(shown) <= 200
    assert shown.isprintable()
    shown.encode("utf-8")


def test_excerpts_escape_what_cannot_be_printed() -> None:
    assert excerpt(b"a\x00b\xff\n") == r"a\x00b\xff\n"
    assert excerpt("\ud800ä") == r"\ud800ä"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"plain"', "plain"),
        ("17", "17"),
        ("1.5", "1.5"),
        ("true", "true"),
        ("null", None),
        ('{"a": [1, "é"]}', '{"a":[1,"é"]}'),
        (r'"a\u0000b"', "ab"),
    ],
)
def test_an_id_of_any_type_becomes_text(tmp_path: Path, value: str, text: str | None) -> None:
    found = read_bytes(tmp_path, "a.jsonl", f'{{"text": "t", "id": {value}}}'.encode())
    assert [document.source_id for document in found.documents] == [text]


def test_fields_may_have_other_names(tmp_path: Path) -> None:
    content = b'{"body": "t", "key": 1, "text": 5}'
    (document,) = read_bytes(tmp_path, "a.jsonl", content, text_field="body", id_field="key").documents
    assert (document.text, document.source_id, document.kind) == ("t", "1", "record")


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_break", [b"\n", b"\r\n"])
def test_an_offset_finds_the_record_in_the_decompressed_file(
    tmp_path: Path, bom: bytes, line_break: bytes
) -> None:
    rows = [json.dumps({"text": text}, ensure_ascii=False).encode() for text in ("a", "éé", "文", "d")]
    content = bom + line_break.join([rows[0], b"", *rows[1:]])
    found = read_bytes(tmp_path, "a.jsonl.gz", gzip.compress(content))
    assert [content[document.offset :].split(line_break)[0] for document in found.documents] == rows


def test_the_offset_of_a_fault_is_the_wrong_byte(tmp_path: Path) -> None:
    content = '{"text": "é"}\n{"text": "é\xff"}\n{"text": "é", }'.encode().replace(b"\xc3\xbf", b"\xff")
    first, second = read_bytes(tmp_path, "a.jsonl", content).quarantined
    assert content[first.fault.offset] == 0xFF
    assert content[second.fault.offset :] in (b"}", b", }")
