"""The ingest stage in Spark: tables, accounts, and the same rows for any partitioning."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

import pipelines.ingest.stage as stage
from conf.ingest import IngestConfig
from pipelines.files.record import document_id
from pipelines.ingest import InputFile, ingest
from pipelines.ingest.parts import Part
from pipelines.stage_output import StageOutput
from schemas import TABLES
from tests.ingest.zoo import CASES, write_zoo


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    write_zoo(folder)
    return folder


@pytest.fixture(scope="module")
def tables(spark: SparkSession, zoo: Path) -> dict[str, list[dict[str, Any]]]:
    return collect(ingest(spark, IngestConfig(inputs=(str(zoo),))))


def collect(output: StageOutput) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, the shared DataFrame computed once, as the run does it."""
    (shared,) = output.shared
    shared.persist()
    try:
        return {name: [row.asDict() for row in frame.collect()] for name, frame in output.tables.items()}
    finally:
        shared.unpersist()


def test_tables_have_exactly_their_columns(spark: SparkSession, zoo: Path) -> None:
    output = ingest(spark, IngestConfig(inputs=(str(zoo),)))
    assert set(output.tables) == {"sources", "documents", "quarantine"}
    for name, frame in output.tables.items():
        wanted = TABLES[name].spark_schema()
        assert [(f.name, f.dataType) for f in frame.schema] == [(f.name, f.dataType) for f in wanted]
    assert len(output.shared) == 1
    assert output.details["num_files"] == len(CASES)


def test_every_file_and_every_record_is_accounted_for(tables: dict[str, list[dict[str, Any]]]) -> None:
    sources = {row["source"]: row for row in tables["sources"]}
    assert set(sources) == {case.name for case in CASES}
    documents = Counter(row["source"] for row in tables["documents"])
    quarantined = Counter(row["source"] for row in tables["quarantine"])
    for case in CASES:
        row = sources[case.name]
        assert (row["kept"], documents[case.name]) == (case.kept, case.kept)
        bad = len(case.row_reasons) + (case.file_reason is not None)
        assert (row["quarantined"], quarantined[case.name]) == (bad, bad)
        assert row["records"] == case.kept + bad
        assert row["num_bytes"] == len(case.content)
        assert row["state"] == (
            "quarantined" if case.file_reason else "partly read" if case.row_reasons else "read"
        )
    assert sources["good.warc.gz"]["skipped"] == {"warcinfo": 1}
    total = sum(row["records"] for row in tables["sources"])
    assert total == len(tables["documents"]) + len(tables["quarantine"])


def test_documents_carry_ids_and_sizes(tables: dict[str, list[dict[str, Any]]]) -> None:
    ids = {row["doc_id"] for row in tables["documents"]}
    assert len(ids) == len(tables["documents"])
    for row in tables["documents"]:
        assert row["doc_id"] == document_id(row["source"], row["offset"], row["text"])
        assert row["num_bytes"] == len(row["text"].encode())
        assert "\x00" not in row["text"]
    good = [row for row in tables["documents"] if row["source"] == "good.jsonl"]
    assert {row["source_id"] for row in good} == {f"r{i}" for i in range(12)}


@pytest.mark.parametrize(("cores", "rows"), [(1, 1), (7, 10_000)])
def test_the_same_rows_in_any_number_of_tasks_and_batches(
    spark: SparkSession,
    zoo: Path,
    tables: dict[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    cores: int,
    rows: int,
) -> None:
    monkeypatch.setattr(stage, "_num_tasks", lambda files, parallelism: cores)
    output = ingest(spark, IngestConfig(inputs=(str(zoo),)))
    assert output.shared[0].rdd.getNumPartitions() == cores
    for name, found in collect(output).items():
        assert Counter(map(str, found)) == Counter(map(str, tables[name]))


def test_a_path_that_is_not_utf8_reaches_the_workers(spark: SparkSession, tmp_path: Path) -> None:
    for name in (b"a\xff.txt", b"b\xfe.txt.gz"):
        descriptor = os.open(os.fsencode(tmp_path) + b"/" + name, os.O_CREAT | os.O_WRONLY)
        import gzip

        os.write(descriptor, gzip.compress(b"text\n") if name.endswith(b"gz") else b"text\n")
        os.close(descriptor)
    output = ingest(spark, IngestConfig(inputs=(str(tmp_path),)))
    rows = output.tables["documents"].collect()
    assert sorted((row.source, row.text) for row in rows) == [
        (r"a\xff.txt", "text"),
        (r"b\xfe.txt.gz", "text"),
    ]


@given(st.lists(st.integers(0, 10**9), max_size=60), st.integers(1, 9))
def test_bins_hold_every_file_once_and_about_the_same_work(sizes: list[int], num_bins: int) -> None:
    files = [InputFile(f"/{i}", f"{i}", "text", "none", size, "") for i, size in enumerate(sizes)]
    bins = stage.bin_by_size([Part(file) for file in files], num_bins)
    assert sorted(part.file.source for content in bins for part in content) == sorted(
        file.source for file in files
    )
    assert all(bins)
    loads = [sum(part.num_bytes for part in content) for content in bins]
    if len(bins) == num_bins:
        slack = max(sizes) + 16 * 2**10 * (1 + len(sizes))
        assert max(loads) - min(loads) <= slack
