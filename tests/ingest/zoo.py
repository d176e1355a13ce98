"""Bad inputs, one kind each, with the outcome that each must have."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import zlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tests.ingest import webs


@dataclass(frozen=True)
class Case:
    """A file and what ingest must make of it.

    Attributes:
        name: File name.
        content: Its bytes.
        kept: Documents.
        row_reasons: Reasons of quarantined records, in the file's order.
        file_reason: Why the whole file is quarantined.
        repaired: Kept documents that needed repair.
        lines: Line numbers of the quarantined records.
    """

    name: str
    content: bytes
    kept: int
    row_reasons: tuple[str, ...] = ()
    file_reason: str | None = None
    repaired: int = 0
    lines: tuple[int, ...] = ()


def good_rows(count: int = 12) -> list[bytes]:
    """Lines of good JSONL."""
    text = "The harbour master writes down the depth of the river, entry {}."
    return [json.dumps({"id": f"r{i}", "text": text.format(i)}).encode() for i in range(count)]


def with_lines(replacements: dict[int, bytes], count: int = 12) -> bytes:
    """Good JSONL with some lines, counted from 1, replaced."""
    rows = good_rows(count)
    for number, line in replacements.items():
        rows[number - 1] = line
    return b"\n".join(rows) + b"\n"


def zstd(content: bytes) -> bytes:
    """One zstd frame."""
    return _by_arrow(content, "zstd")


def lz4(content: bytes) -> bytes:
    """One lz4 frame."""
    return _by_arrow(content, "lz4")


def _by_arrow(content: bytes, codec: str) -> bytes:
    target = _Kept()
    with pa.CompressedOutputStream(pa.PythonFile(target, "w"), codec) as stream:
        stream.write(content)
    return target.getvalue()


class _Kept(io.BytesIO):
    def close(self) -> None:
        """Stays readable."""


def many_rows(count: int = 3000) -> bytes:
    """Good JSONL that does not compress well, so that a cut stream still has readable rows."""
    rng = random.Random(7)
    rows = [{"id": i, "text": f"entry {rng.getrandbits(256):x}"} for i in range(count)]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _cut(content: bytes) -> bytes:
    return content[: len(content) * 6 // 10]


def _wrong_crc(content: bytes) -> bytes:
    return content[:-6] + bytes([content[-6] ^ 1]) + content[-5:]


def _wrong_byte(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]


def _text(value: str) -> bytes:
    return b'{"id": "x", "text": ' + value.encode() + b"}"


def _wrong_length(excess: int) -> bytes:
    """Six responses, the third of which states a length that is wrong by so many bytes."""
    block = webs.http(webs.page(2))
    records = webs.responses()
    records[2] = webs.record(block, number=2, length=len(block) + excess)
    return b"".join(records)


def _wrong_digest() -> bytes:
    records = webs.responses()
    records[2] = webs.record(webs.http(webs.page(2)), number=2, WARC_Block_Digest=webs.sha1(b"other bytes"))
    return b"".join(records)


def _damaged_member(number: int) -> bytes:
    packed = [gzip.compress(record) for record in webs.responses()]
    packed[number] = _wrong_crc(packed[number])
    return b"".join(packed)


def _wide_xz(content: bytes) -> bytes:
    """An .xz file whose header asks for a dictionary of 4 GiB, which no encoder here could have made."""
    packed = bytearray(lzma.compress(content))
    # Stream header of 12 bytes, block header: size, flags, filter, size of its properties, dictionary.
    size = (packed[12] + 1) * 4
    packed[16] = 40
    packed[12 + size - 4 : 12 + size] = zlib.crc32(packed[12 : 12 + size - 4]).to_bytes(4, "little")
    return bytes(packed)


DEEP = b'{"text": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
MANY = many_rows()
ROWS = webs.parquet({"id": list(range(60)), "text": [f"entry {n}" for n in range(60)]}, row_group_size=20)

CASES: tuple[Case, ...] = (
    Case("good.jsonl", with_lines({}), 12),
    Case("cut_object.jsonl", with_lines({7: b'{"id": "x", "text": "cut off'}), 11, ("bad_json",), lines=(7,)),
    Case(
        "not_an_object.jsonl",
        with_lines({4: b'"only a string"', 8: b"[1, 2]", 10: b"42"}),
        9,
        ("not_an_object",) * 3,
        lines=(4, 8, 10),
    ),
    Case("missing_text.jsonl", with_lines({6: b'{"id": 5}'}), 11, ("missing_text",), lines=(6,)),
    Case("number.jsonl", with_lines({5: _text("1234.5")}), 11, ("text_not_string",), lines=(5,)),
    Case("null.jsonl", with_lines({5: _text("null")}), 11, ("text_is_null",), lines=(5,)),
    Case("list.jsonl", with_lines({5: _text('["a", "b"]')}), 11, ("text_not_string",), lines=(5,)),
    Case(
        "duplicate_keys.jsonl",
        with_lines({9: b'{"text": "one", "text": "other"}'}),
        11,
        ("duplicate_key",),
        lines=(9,),
    ),
    Case(
        "duplicate_inside.jsonl",
        with_lines({2: b'{"text": "a", "m": {"k": 1, "k": 2}}'}),
        11,
        ("duplicate_key",),
    ),
    Case(
        "invalid_utf8.jsonl",
        with_lines({3: _text('"a"').replace(b"a", b"\xc3("), 11: _text('"a"').replace(b"a", b"\xff\xfe")}),
        10,
        ("not_utf8",) * 2,
        lines=(3, 11),
    ),
    Case("nul_escaped.jsonl", with_lines({2: _text(r'"a\u0000b"'), 6: _text(r'"\u0000b"')}), 12, repaired=2),
    Case(
        "nul_raw.jsonl",
        with_lines({5: _text('"a\x00b"'), 10: b"\x00" * 64 + _text('"a"')}),
        10,
        ("bad_json",) * 2,
        lines=(5, 10),
    ),
    Case(
        "lone_surrogate.jsonl",
        with_lines({4: _text(r'"a\ud800b"'), 8: _text(r'"\udc00\ud83d"'), 10: _text(r'"\ud83d\ude00"')}),
        12,
        repaired=2,
    ),
    Case("bom.jsonl", b"\xef\xbb\xbf" + with_lines({}), 12),
    Case("crlf.jsonl", with_lines({}).replace(b"\n", b"\r\n"), 12),
    Case("crlf.txt", b"one\r\ntwo\r\n\r\nthree", 3),
    Case("blank_lines.jsonl", with_lines({}).replace(b"\n", b"\n\n  \n"), 12),
    Case("deep.jsonl", with_lines({1: DEEP}), 11, ("too_deep",), lines=(1,)),
    Case(
        "huge_number.jsonl", with_lines({1: b'{"text": "a", "n": ' + b"7" * 10_000 + b"}"}), 11, ("bad_json",)
    ),
    Case("nan.jsonl", with_lines({1: b'{"text": "a", "score": NaN, "other": -Infinity}'}), 12),
    Case("empty.jsonl", b"", 0, file_reason="empty"),
    Case("empty.txt", b"", 0, file_reason="empty"),
    Case("blank.jsonl", b"\n \n\n", 0, file_reason="empty"),
    Case("zero_byte.jsonl.gz", b"", 0, file_reason="empty"),
    Case("nothing_inside.jsonl.gz", gzip.compress(b""), 0, file_reason="empty"),
    Case("cut.jsonl.gz", _cut(gzip.compress(MANY)), 0, file_reason="truncated"),
    Case("no_trailer.jsonl.gz", gzip.compress(MANY)[:-1], 0, file_reason="truncated"),
    Case("wrong_crc.jsonl.gz", _wrong_crc(gzip.compress(MANY)), 0, file_reason="corrupt"),
    Case(
        "second_member_cut.jsonl.gz",
        gzip.compress(MANY) + gzip.compress(MANY)[:99],
        0,
        file_reason="truncated",
    ),
    Case("two_members.jsonl.gz", gzip.compress(MANY) + gzip.compress(MANY), 6000),
    Case("garbage_behind.jsonl.gz", gzip.compress(MANY) + b"garbage", 0, file_reason="corrupt"),
    Case("cut.jsonl.zst", _cut(zstd(MANY)), 0, file_reason="truncated"),
    Case("last_byte_missing.jsonl.zst", zstd(MANY)[:-1], 0, file_reason="truncated"),
    Case("two_frames.jsonl.zst", zstd(MANY) + zstd(MANY), 6000),
    Case("cut.jsonl.bz2", _cut(bz2.compress(MANY)), 0, file_reason="truncated"),
    Case("good.jsonl.bz2", bz2.compress(MANY), 3000),
    Case("good.jsonl.xz", lzma.compress(MANY), 3000),
    Case("largest_preset.jsonl.xz", lzma.compress(MANY, preset=9), 3000),
    Case(
        "two_streams_padded.jsonl.xz", lzma.compress(MANY) + bytes(8) + lzma.compress(MANY) + bytes(4), 6000
    ),
    Case("padding.jsonl.xz", lzma.compress(MANY) + bytes(6), 0, file_reason="corrupt"),
    Case("cut.jsonl.xz", _cut(lzma.compress(MANY)), 0, file_reason="truncated"),
    Case("last_byte_missing.jsonl.xz", lzma.compress(MANY)[:-1], 0, file_reason="truncated"),
    Case(
        "second_stream_cut.jsonl.xz",
        lzma.compress(MANY) + lzma.compress(MANY)[:99],
        0,
        file_reason="truncated",
    ),
    Case("wrong_check.jsonl.xz", _wrong_byte(lzma.compress(MANY)), 0, file_reason="corrupt"),
    Case("garbage_behind.jsonl.xz", lzma.compress(MANY) + b"garbage", 0, file_reason="corrupt"),
    Case("nothing_inside.jsonl.xz", lzma.compress(b""), 0, file_reason="empty"),
    Case("wide.jsonl.xz", _wide_xz(MANY), 0, file_reason="too_large"),
    Case("good.jsonl.lz4", lz4(MANY), 3000),
    Case("two_frames.jsonl.lz4", lz4(MANY) + lz4(MANY), 6000),
    Case("skippable.jsonl.lz4", b"\x50\x2a\x4d\x18\x03\0\0\0abc" + lz4(MANY), 3000),
    Case("cut.jsonl.lz4", _cut(lz4(MANY)), 0, file_reason="truncated"),
    Case("end_mark_missing.jsonl.lz4", lz4(MANY)[:-4], 0, file_reason="truncated"),
    Case("garbage_behind.jsonl.lz4", lz4(MANY) + b"garbage", 0, file_reason="corrupt"),
    Case("plain_named_xz.jsonl.xz", MANY, 0, file_reason="bad_compression"),
    Case("lz4_named_xz.jsonl.xz", lz4(MANY), 0, file_reason="bad_compression"),
    Case("xz_without_extension.jsonl", lzma.compress(MANY), 3000),
    Case("lz4_without_extension.txt", lz4(MANY), 3000),
    Case("plain_named_gz.jsonl.gz", MANY, 0, file_reason="bad_compression"),
    Case("zstd_named_gz.jsonl.gz", zstd(MANY), 0, file_reason="bad_compression"),
    Case("gzip_without_extension.jsonl", gzip.compress(MANY), 3000),
    Case("zstd_without_extension.txt", zstd(MANY), 3000),
    Case("bomb.jsonl.gz", gzip.compress(bytes(64 * 2**20)), 0, file_reason="bomb"),
    Case("bomb.jsonl.xz", lzma.compress(bytes(64 * 2**20), preset=0), 0, file_reason="bomb"),
    Case("utf16.txt", "one\ntwo\n".encode("utf-16"), 0, file_reason="not_utf8"),
    Case("utf16.jsonl", '{"text": "a"}\n'.encode("utf-16"), 0, file_reason="not_utf8"),
    Case("good.parquet", ROWS, 60),
    Case("half.parquet", ROWS[: len(ROWS) // 2], 0, file_reason="corrupt"),
    Case("empty.parquet", b"", 0, file_reason="corrupt"),
    Case("zeros.parquet", b"PAR1" + bytes(100), 0, file_reason="corrupt"),
    Case("no_rows.parquet", webs.parquet({"text": pa.array([], pa.string())}), 0, file_reason="empty"),
    Case("int64.parquet", webs.parquet({"text": [1, 2]}), 0, file_reason="text_not_string"),
    Case("no_text.parquet", webs.parquet({"body": ["a"]}), 0, file_reason="missing_text"),
    Case("nulls.parquet", webs.parquet({"text": ["a", None, "b"]}), 2, ("text_is_null",)),
    Case("rows.csv", b'id,text\n1,"two\r\nlines, ""quoted"""\n\n2,plain\n', 2),
    Case(
        "wrong_columns.csv",
        b"id,lang,text\n1,en,a\n2,en\n3,en,b,c,d\n4\n\n5,en,e\n",
        2,
        ("bad_columns",) * 3,
        lines=(3, 4, 5),
    ),
    Case(
        "quotes.csv",
        b'id,text\n1,a "b" c\n2,"a"b\n3,ok\n4,"open\n5,a\n',
        1,
        ("bad_quotes",) * 3,
        lines=(2, 3, 5),
    ),
    Case("quotes.tsv", b'id\ttext\n1\tshe said "yes"\n2\t"open\n', 2),
    Case("empty_cells.tsv", b"id\ttext\n1\t\n\ta\n", 1, ("text_is_null",), lines=(2,)),
    Case("no_text.csv", b"id,body\n1,a\n", 0, file_reason="missing_text"),
    Case("two_texts.csv", b"text,text\na,b\n", 0, file_reason="duplicate_key"),
    Case("header_only.csv", b"id,text\n", 0, file_reason="empty"),
    Case("invalid_utf8.csv", b"id,text\n1,a\xff\n2,b\n", 1, ("not_utf8",), lines=(2,)),
    Case("page.html", webs.page(), 1),
    Case("latin.htm", webs.page(charset="latin-1").replace(b"bay", b"b\xe4y"), 1),
    Case("nested_divs.html.gz", gzip.compress(b"<div>" * 200_000 + b"a"), 0, file_reason="too_large"),
    Case("nested_less.html", b"<div>" * 1000 + b"a", 0, file_reason="too_deep"),
    Case("korean.html", webs.page(charset="iso-2022-kr"), 0, file_reason="bad_encoding"),
    Case("nothing.html", b"<html><body></body></html>", 0, file_reason="no_main_text"),
    Case("empty.html", b" ", 0, file_reason="empty"),
    Case("good.warc.gz", webs.members([webs.record(b"a: b", "warcinfo"), *webs.responses()]), 6),
    Case("one_member.warc.gz", gzip.compress(b"".join(webs.responses())), 6),
    Case("cut.warc.gz", webs.members(webs.responses())[:-99], 5, ("truncated",)),
    Case(
        "cut_one_member.warc.gz", gzip.compress(b"".join(webs.responses()))[:-9], 0, file_reason="truncated"
    ),
    Case("cut.warc", b"".join(webs.responses())[:-99], 5, ("truncated",)),
    Case("wrong_member.warc.gz", _damaged_member(3), 3, ("corrupt",)),
    Case("too_short.warc", _wrong_length(-40), 5, ("bad_length",)),
    Case("too_long.warc", _wrong_length(40), 5, ("bad_length",)),
    Case("far_too_long.warc", _wrong_length(10**6), 5, ("truncated",)),
    Case("wrong_digest.warc", _wrong_digest(), 5, ("bad_digest",)),
    Case("no_warc.warc", b"<html>", 0, file_reason="bad_warc"),
    Case("empty.warc", b"", 0, file_reason="empty"),
    Case("texts.wet", b"".join(webs.record(b"text", "conversion", n) for n in range(3)), 3),
    Case(
        "bad_texts.wet.gz",
        webs.members([webs.record(text, "conversion") for text in (b"a", b"\xff", b" ", b"b")]),
        2,
        ("not_utf8", "no_main_text"),
    ),
    Case("notes.xyz", b"a note", 0, file_reason="unknown_format"),
    Case("no_extension", b"a note", 0, file_reason="unknown_format"),
    Case('it\'s a "naïve" 文件 name.jsonl', with_lines({}), 12),
    Case("[brackets] * and ?.jsonl", with_lines({}), 12),
)


def write_zoo(folder: Path) -> None:
    """Writes every case to a folder."""
    for case in CASES:
        (folder / case.name).write_bytes(case.content)
