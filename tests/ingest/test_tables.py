"""CSV, TSV and Parquet: columns, pairs, strictness and bounds."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from conf.ingest import IngestConfig
from pipelines.ingest.formats.parquet_pages import largest_page
from tests.ingest.support import Outcome, read_bytes
from tests.ingest.webs import parquet

any_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)

# What a CSV field may be and come back as it was: line breaks of one kind, no NUL, something to read.
FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00\ufeff"), max_size=12).filter(
    lambda field: (
        any("!" <= char <= "~" or char.isalpha() for char in field)
        and not set(field) <= set("\u115f\u1160\u3164\uffa0")
    )
)
ROWS = st.lists(st.tuples(FIELDS, FIELDS, FIELDS), min_size=1, max_size=6)


@any_folder
@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.booleans())
@example([('a"b', ",\n", '""')], "\r\n", True)
def test_csv_comes_back_as_it_was_written(
    tmp_path: Path, rows: list[tuple[str, str, str]], line_break: str, quote_all: bool
) -> None:
    target = io.StringIO()
    writer = csv.writer(
        target, lineterminator=line_break, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    )
    writer.writerow(("text", "target", "id"))
    writer.writerows(rows)
    found = read_bytes(tmp_path, "a.csv", target.getvalue().encode(), target_field="target")
    assert [(d.text, d.target, d.source_id) for d in found.documents] == rows
    assert not found.quarantined


@any_folder
@given(st.lists(FIELDS.filter(lambda field: not set(field) & {"\t", "\n"}), min_size=1))
def test_tsv_takes_every_other_character_as_it_is(tmp_path: Path, fields: list[str]) -> None:
    content = "\n".join(f"{number}\t{field}" for number, field in enumerate(fields)).encode()
    found = read_bytes(tmp_path, "a.tsv", content, header=False, text_field="2", id_field="1")
    assert [(d.source_id, d.text) for d in found.documents] == [(str(n), f) for n, f in enumerate(fields)]


@any_folder
@given(st.lists(st.sampled_from(['"', ",", "\n", "a", '""', "\r\n"]), max_size=30).map("".join))
def test_any_quotes_are_read_as_the_csv_module_reads_them_or_refused(tmp_path: Path, body: str) -> None:
    found = read_bytes(tmp_path, "a.csv", b"text,id\n" + body.encode())
    lines = body.replace("\r\n", "\n")
    try:
        wanted = [row for row in csv.reader(io.StringIO(lines, newline=""), strict=True) if row]
    except csv.Error:
        return
    if not found.quarantined:
        assert [(d.text, d.source_id or "") for d in found.documents] == [tuple(row) for row in wanted]


def test_a_record_of_several_lines_has_the_place_of_its_first(tmp_path: Path) -> None:
    content = b'id,text\n1,"a\nb\nc"\n2,d\n3\n'
    found = read_bytes(tmp_path, "a.csv", content)
    assert [content[d.offset :][:2] for d in found.documents] == [b"1,", b"2,"]
    assert [row.fault.line for row in found.quarantined] == [6]
    assert content[found.quarantined[0].fault.offset :] == b"3\n"


def test_an_open_quote_is_measured_and_not_held(tmp_path: Path) -> None:
    content = b'text\n"' + (b"a" * 1023 + b"\n") * 30_000
    tracemalloc.start()
    try:
        found = read_bytes(tmp_path, "a.csv", content, max_document_bytes=2**16)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.reasons == [("row", "bad_quotes")]
    assert "30,000 lines" in found.quarantined[0].fault.detail
    assert peak < 12 * 2**20


@pytest.mark.parametrize(
    ("config", "texts"),
    [
        ({"header": False, "text_field": "2"}, ["text", "a", "b"]),
        ({"header": False, "columns": ("key", "body"), "text_field": "body"}, ["text", "a", "b"]),
        ({"text_field": "2"}, ["a", "b"]),
        ({"text_field": "text"}, ["a", "b"]),
    ],
)
def test_columns_are_chosen_by_name_or_number(
    tmp_path: Path, config: dict[str, object], texts: list[str]
) -> None:
    assert read_bytes(tmp_path, "a.csv", b"id,text\n1,a\n2,b\n", **config).texts == texts


@pytest.mark.parametrize("config", [{"columns": ("a",)}, {"columns": ("a", "a"), "header": False}])
def test_names_that_would_be_ignored_or_confused_are_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="columns"):
        IngestConfig(**config)


def in_every_format(folder: Path, rows: list[dict[str, str | None]], **config: object) -> list[Outcome]:
    names = list(rows[0])
    lines = [names, *([row[name] or "" for name in names] for row in rows)]
    files = {
        "a.jsonl": "\n".join(map(json.dumps, rows)).encode(),
        "a.csv": "\n".join(map(",".join, lines)).encode(),
        "a.tsv": "\n".join(map("\t".join, lines)).encode(),
        "a.parquet": parquet({name: pa.array([row[name] for row in rows], pa.string()) for name in names}),
    }
    return [read_bytes(folder, name, content, **config) for name, content in files.items()]


def test_pairs_are_the_same_from_every_format(tmp_path: Path) -> None:
    rows: list[dict[str, str | None]] = [
        {"en": "Go.", "zh": "走。", "key": "1", "at": "u1", "by": "Li"},
        {"en": "Stop.", "zh": None, "key": "2", "at": "u2", "by": "Wu"},
        {"en": None, "zh": "好。", "key": "3", "at": None, "by": None},
        {"en": "Yes.", "zh": "是。", "key": None, "at": None, "by": None},
    ]
    fields = {"text_field": "en", "target_field": "zh", "id_field": "key", "url_field": "at"}
    for found in in_every_format(tmp_path, rows, metadata_fields=("by", "absent"), **fields):
        assert [(d.kind, d.text, d.target, d.source_id, d.url, d.metadata) for d in found.documents] == [
            ("pair", "Go.", "走。", "1", "u1", {"by": "Li"}),
            ("pair", "Yes.", "是。", None, None, {}),
        ]
        assert found.reasons == [("row", "target_is_null"), ("row", "text_is_null")]


def test_labels_are_the_same_from_every_format(tmp_path: Path) -> None:
    rows: list[dict[str, str | None]] = [
        {"text": "Great.", "class": "pos"},
        {"text": "Awful.", "class": None},
        {"text": "So so.", "class": "  "},
        {"text": "Bad.", "class": "neg"},
    ]
    for found in in_every_format(tmp_path, rows, label_field="class"):
        assert [(d.kind, d.text, d.label) for d in found.documents] == [
            ("record", "Great.", "pos"),
            ("record", "Bad.", "neg"),
        ]
        assert found.reasons == [("row", "label_is_null"), ("row", "label_is_blank")]


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("3", "3"),
        ("true", "true"),
        ("1.5", "1.5"),
        ('["a", "é"]', '["a","é"]'),
        (r'"a\u0000\ud800"', "a\ufffd"),
    ],
)
def test_a_label_of_any_type_becomes_text(tmp_path: Path, value: str, label: str) -> None:
    line = f'{{"text": "t", "class": {value}}}\n{{"text": "t"}}'.encode()
    found = read_bytes(tmp_path, "a.jsonl", line, label_field="class")
    assert [d.label for d in found.documents] == [label]
    assert found.reasons == [("row", "missing_label")]


def test_a_label_may_be_a_number_in_parquet_and_a_column_by_number_in_csv(tmp_path: Path) -> None:
    content = parquet({"text": ["a", "b"], "class": pa.array([1, None])})
    found = read_bytes(tmp_path, "a.parquet", content, label_field="class")
    assert [(d.text, d.label) for d in found.documents] == [("a", "1")]
    assert found.reasons == [("row", "label_is_null")]
    read = read_bytes(tmp_path, "a.tsv", b"pos\tfine\n", header=False, text_field="2", label_field="1")
    assert [(d.text, d.label) for d in read.documents] == [("fine", "pos")]
    for name, file in (("b.csv", b"text\na\n"), ("b.parquet", parquet({"text": ["a"]}))):
        assert read_bytes(tmp_path, name, file, label_field="class").reasons == [("file", "missing_label")]


def test_a_label_has_the_limit_of_a_document(tmp_path: Path) -> None:
    content = b'{"text": "a", "class": "too long"}'
    found = read_bytes(tmp_path, "a.jsonl", content, label_field="class", max_document_bytes=5)
    assert found.reasons == [("row", "too_large")]
    assert "label" in found.quarantined[0].fault.detail


def test_a_pair_without_its_other_side_is_quarantined(tmp_path: Path) -> None:
    lines = b'{"text": "a"}\n{"text": "a", "t": 5}\n{"text": "a", "t": "b\\u0000"}'
    found = read_bytes(tmp_path, "a.jsonl", lines, target_field="t")
    assert found.reasons == [("row", "missing_target"), ("row", "target_not_string")]
    assert [(d.target, d.repaired) for d in found.documents] == [("b", True)]
    for name, content in (("a.csv", b"text\na\n"), ("a.parquet", parquet({"text": ["a"]}))):
        assert read_bytes(tmp_path, name, content, target_field="t").reasons == [("file", "missing_target")]


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
@pytest.mark.parametrize("options", [{}, {"data_page_version": "2.0"}, {"use_dictionary": False}])
def test_parquet_is_read_in_every_compression(
    tmp_path: Path, compression: str, options: dict[str, object]
) -> None:
    texts = [f"entry {number % 7}" * 20 for number in range(500)]
    content = parquet(
        {"text": texts}, compression=compression, row_group_size=90, data_page_size=512, **options
    )
    found = read_bytes(tmp_path, "a.parquet", content)
    assert found.texts == texts
    assert [d.offset for d in found.documents] == list(range(500))


def test_other_columns_become_text_and_nested_ones_are_refused(tmp_path: Path) -> None:
    table = {
        "text": pa.array(["a", "b"]).dictionary_encode(),
        "id": [7, None],
        "score": [1.5, 2.0],
        "day": [date(2026, 3, 1), None],
        "list": [[1], [2]],
    }
    content = parquet(table)
    found = read_bytes(tmp_path, "a.parquet", content, metadata_fields=("score", "day"))
    assert [(d.text, d.source_id, d.metadata) for d in found.documents] == [
        ("a", "7", {"score": "1.5", "day": "2026-03-01"}),
        ("b", None, {"score": "2.0"}),
    ]
    assert read_bytes(tmp_path, "b.parquet", content, id_field="list").reasons == [("file", "bad_columns")]
    assert read_bytes(tmp_path, "c.parquet", content, text_field="list").reasons == [
        ("file", "text_not_string")
    ]


def test_bytes_in_a_string_column_are_checked(tmp_path: Path) -> None:
    raw = pa.array([b"a", b"\xff", None, "é".encode()], pa.binary())
    text = pa.StringArray.from_buffers(4, *raw.buffers()[1:], raw.buffers()[0])
    found = read_bytes(tmp_path, "a.parquet", parquet({"text": text}))
    assert found.texts == ["a", "é"]
    assert [(q.fault.reason, q.fault.offset) for q in found.quarantined] == [
        ("not_utf8", 1),
        ("text_is_null", 2),
    ]


def test_a_value_that_stands_for_many_is_a_bomb(tmp_path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 50_000, pa.int32()), pa.array(["x" * 2**20]))
    found = read_bytes(tmp_path, "a.parquet", parquet({"text": text}, compression="zstd"))
    assert found.reasons == [("file", "bomb")]


def test_a_footer_of_absurd_sizes_is_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    content = parquet({"text": ["x" * 2**20] * 64}, compression="zstd", use_dictionary=False)
    found = read_bytes(tmp_path, "a.parquet", content, max_file_bytes=2**25)
    assert found.reasons == [("file", "too_large")]
    assert "ingest.max_file_bytes" in found.quarantined[0].fault.detail


def test_pages_are_measured_by_their_own_headers() -> None:
    content = parquet(
        {"text": ["x" * 10_000, "y" * 30_000]}, compression="zstd", use_dictionary=False, data_page_size=1
    )
    chunk = pq.read_metadata(io.BytesIO(content)).row_group(0).column(0)
    largest, total = largest_page(io.BytesIO(content), chunk.data_page_offset, chunk.total_compressed_size)
    assert largest <= total <= chunk.total_uncompressed_size
    assert largest > 30_000


@any_folder
@given(st.data())
def test_a_damaged_parquet_file_never_ends_the_run(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(parquet({"text": [f"entry {n}" * 9 for n in range(200)], "id": list(range(200))}))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
    found = read_bytes(tmp_path, "a.parquet", bytes(content[:cut]))
    assert found.summary.records == len(found.documents) + len(found.quarantined) > 0
