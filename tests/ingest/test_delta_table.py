"""Delta tables as input: pinned, counted, with ids that depend on the rows alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from conf.ingest import IngestConfig
from pipelines.errors import InputError
from pipelines.ingest import discover, fingerprint, ingest
from tests.ingest.test_stage import collect

ROWS: list[dict[str, Any]] = [
    {"id": 1, "text": "one", "other": "eins", "day": "2024-01-01"},
    {"id": 2, "text": "two\x00", "other": "zwei", "day": None},
    {"id": 3, "text": None, "other": "drei", "day": None},
    {"id": 4, "text": "much too long", "other": "vier", "day": None},
    {"id": 5, "text": "five", "other": "fünf", "day": "2024-01-01"},
    {"id": 5, "text": "five", "other": "fünf", "day": "2024-01-01"},
    {"id": 5, "text": "five", "other": "fünf", "day": "2024-01-02"},
]
NAMES = {"target_field": "other", "metadata_fields": ("day",), "max_document_bytes": 10}


def config(*tables: str | Path, **names: Any) -> IngestConfig:
    return IngestConfig(inputs=tuple(map(str, tables)), format="delta", **(NAMES | names))


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    schema = pa.schema([("id", pa.int64()), *((name, pa.string()) for name in ("text", "other", "day"))])
    write_deltalake(folder, pa.Table.from_pylist(rows, schema), mode="append")


def test_rows_become_documents_or_are_quarantined_and_ids_do_not_depend_on_files(
    spark: SparkSession, tmp_path: Path
) -> None:
    write(tmp_path / "a" / "pairs", ROWS)
    for row in reversed(ROWS):
        write(tmp_path / "b" / "pairs", [row])
    found = []
    for folder in ("a", "b"):
        output = ingest(spark, config(tmp_path / folder / "pairs"))
        assert output.details["tables"] == {"pairs": 0 if folder == "a" else 6}
        tables = collect(output)
        for row in tables["sources"]:
            assert row.pop("num_bytes") > 0
        found.append({name: sorted(map(str, rows)) for name, rows in tables.items()})
    assert found[0] == found[1]
    documents = tables["documents"]
    assert len({row["doc_id"] for row in documents}) == 5
    assert sorted((row["source_id"], row["text"], row["target"], row["offset"]) for row in documents) == [
        ("1", "one", "eins", 0),
        ("2", "two", "zwei", 0),
        ("5", "five", "fünf", 0),
        ("5", "five", "fünf", 1),
        ("5", "five", "fünf", 2),
    ]
    assert [row["metadata"] for row in documents if row["source_id"] == "1"] == [{"day": "2024-01-01"}]
    assert {row["reason"] for row in tables["quarantine"]} == {"text_is_null", "too_large"}
    (source,) = tables["sources"]
    assert (source["records"], source["kept"], source["quarantined"], source["repaired"]) == (7, 5, 2, 1)
    assert (source["source"], source["format"], source["state"]) == ("pairs", "delta", "partly read")


def test_a_label_may_have_any_type_and_equal_rows_are_numbered_by_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = [{"id": 1, "text": "one", "stars": stars} for stars in (5, 3, None, 3)]
    write_deltalake(tmp_path / "t", pa.Table.from_pylist(rows))
    tables = collect(ingest(spark, config(tmp_path / "t", target_field=None, label_field="stars")))
    found = sorted((row["offset"], row["label"]) for row in tables["documents"])
    assert found == [(0, "3"), (1, "3"), (2, "5")]
    assert [row["reason"] for row in tables["quarantine"]] == ["label_is_null"]
    with pytest.raises(InputError, match=r"missing_label: the table has no column 'class'"):
        ingest(spark, config(tmp_path / "t", target_field=None, label_field="class"))


def test_a_version_is_pinned_and_part_of_the_fingerprint(spark: SparkSession, tmp_path: Path) -> None:
    table = tmp_path / "t"
    write(table, ROWS[:1])
    first = fingerprint(discover(config(table)))
    write(table, ROWS[1:2])
    assert fingerprint(discover(config(table))) != first
    assert fingerprint(discover(config(f"{table}@0"))) == first
    tables = collect(ingest(spark, config(f"{table}@0")))
    assert [row["text"] for row in tables["documents"]] == ["one"]
    both = collect(ingest(spark, config(f"{table}@0", f"{table}@v1")))
    assert len({row["source"] for row in both["sources"]}) == 2
    assert len({row["doc_id"] for row in both["documents"]}) == 3


def test_a_table_without_rows_is_accounted_for(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "t", [])
    tables = collect(ingest(spark, config(tmp_path / "t")))
    assert [(row["records"], row["state"]) for row in tables["sources"]] == [(1, "quarantined")]
    assert [row["reason"] for row in tables["quarantine"]] == ["empty"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"text_field": "body"}, r"no column 'body' \(ingest\.text_field\); there are 'id', 'text'"),
        ({"text_field": "id"}, r"'id' \(ingest\.text_field\) has the type bigint, not string"),
        ({"target_field": "id"}, r"'id' \(ingest\.target_field\) has the type bigint, not string"),
    ],
)
def test_a_wrong_column_is_one_clear_error(
    spark: SparkSession, tmp_path: Path, names: dict[str, str], said: str
) -> None:
    write(tmp_path / "t", ROWS)
    with pytest.raises(InputError, match=said):
        ingest(spark, config(tmp_path / "t", **names))


@pytest.mark.parametrize("given", ["nothing", "t@7"])
def test_what_is_no_table_or_no_version_is_one_clear_error(tmp_path: Path, given: str) -> None:
    write(tmp_path / "t", ROWS)
    with pytest.raises(InputError, match=f"{given}' is no Delta table that can be read"):
        discover(config(tmp_path / given))


def test_values_that_python_does_not_hold_and_odd_names_end_no_stage(
    spark: SparkSession, tmp_path: Path
) -> None:
    columns = {
        "text": "if(id = 0, 'near', 'far')",
        "id": "if(id = 0, date '2024-02-29', date_add(date '9999-12-31', 1))",
        "a.b": "timestamp_micros(if(id = 0, 0L, 4611686018427387904L))",
        "back`tick": "timestamp_ntz '2024-01-02 03:04:05.6'",
        "Größe": "cast(1.50 as decimal(38, 2))",
        "list": "array(date_add(date '9999-12-31', cast(id as int)))",
        "struct": "named_struct('x.y', id, 'z', map('k', unhex('ff')))",
        "raw": "if(id = 0, cast('plain' as binary), unhex('00ff'))",
        "variant": """parse_json('{"a": [1, null]}')""",
        "short": "cast(id as byte)",
        "real": "float('nan')",
    }
    quoted = {"`" + name.replace("`", "``") + "`": value for name, value in columns.items()}
    shown = ", ".join(f"{value} AS {name}" for name, value in quoted.items())
    place = str(tmp_path / "odd")
    frame = spark.sql(f"SELECT {shown} FROM range(2)")
    frame.write.format("delta").option("delta.columnMapping.mode", "name").save(place)
    names = tuple(name for name in columns if name not in ("text", "id"))
    output = ingest(spark, config(place, target_field=None, metadata_fields=names, max_document_bytes=10**6))
    rows = {row["text"]: row for row in collect(output)["documents"]}
    assert {text: row["source_id"] for text, row in rows.items()} == {
        "near": "2024-02-29",
        "far": "+10000-01-01",
    }
    same = {"Größe": "1.50", "variant": '{"a":[1,null]}', "real": "NaN"}
    same["back`tick"] = "2024-01-02 03:04:05.600000"
    assert rows["near"]["metadata"] == same | {
        "a.b": "1970-01-01 00:00:00+00:00",
        "list": '["9999-12-31"]',
        "struct": '{"x.y":0,"z":{"k":"ff"}}',
        "raw": "plain",
        "short": "0",
    }
    assert rows["far"]["metadata"] == same | {
        "a.b": "+148108-07-06 14:00:27.387904+00:00",
        "list": '["+10000-01-01"]',
        "struct": '{"x.y":1,"z":{"k":"ff"}}',
        "raw": "00ff",
        "short": "1",
    }
