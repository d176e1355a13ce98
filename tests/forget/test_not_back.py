"""What was forgotten does not come back: not from the raw file, not in a later batch under another name."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.dedup import DedupConfig
from conf.ingest import IngestConfig
from pipelines.bindings.erased import without_erased
from pipelines.dedup.stage import History, dedup
from pipelines.forget.texts import content_of
from pipelines.ingest.stage import ingest
from pipelines.lake import Lake, read_table, write_table
from pipelines.lake.signatures import erase_signatures
from pipelines.stage_output import StageOutput
from schemas.signatures import SIGNATURES
from tests.dedup.support import clean_frame, collect, doc_id, random_words


def rows_of(output: StageOutput) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table."""
    return {
        name: [row.asDict(recursive=True) for row in frame.collect()] for name, frame in output.tables.items()
    }


def test_ingest_leaves_forgotten_records_out_and_counts_them(spark: SparkSession, tmp_path: Path) -> None:
    """In files of several parts, wherever the text stands; a pair goes by both of its sides."""
    long = "x" * 3000
    lines = [{"id": f"u{number}", "text": f"text number {number} ä", "more": long} for number in range(40)]
    lines += [{"id": "again", "text": "text number 3 ä"}, {"id": "pair", "text": "one", "to": "eins"}]
    lines += [{"id": "other", "text": "one", "to": "ein"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = IngestConfig(
        inputs=(str(tmp_path / "a.jsonl"),), format="jsonl", target_field=None, split_bytes=65536
    )
    erased = {content_of("text number 3 ä", None), content_of("text number 39 ä", None)}
    found = rows_of(without_erased(ingest(spark, config), erased))
    ids = {row["source_id"] for row in found["documents"]}
    assert ids == {line["id"] for line in lines} - {"u3", "again", "u39"}
    (source,) = found["sources"]
    assert (source["records"], source["kept"], source["skipped"]) == (40, 40, {"erased": 3})

    config = IngestConfig(inputs=(str(tmp_path / "a.jsonl"),), format="jsonl", target_field="to")
    found = rows_of(without_erased(ingest(spark, config), {content_of("one", "eins")}))
    assert {row["source_id"] for row in found["documents"]} == {"other"}


@pytest.mark.parametrize("near", [pytest.param(False, marks=pytest.mark.rare), True])
def test_a_later_batch_does_not_bring_a_text_back(spark: SparkSession, tmp_path: Path, near: bool) -> None:
    words = random_words(random.Random(5), 120)
    monday = {"gone": " ".join(words), "stays": " ".join(random_words(random.Random(6), 80))}
    history = Lake.at(tmp_path / "history")
    history.create()
    config = DedupConfig(history=history.location)

    def batch(name: str, texts: dict[str, str]) -> dict[str, list[dict[str, object]]]:
        rows = read_table(spark, history, "signatures")
        return collect(dedup(clean_frame(spark, texts), config, history=History(rows, name)))

    write_table(spark, history, "signatures", spark.createDataFrame([], SIGNATURES.spark_schema()), {})
    first = batch("monday", monday)
    rows = spark.createDataFrame(
        [tuple(row[name] for name in SIGNATURES.column_names) for row in first["signatures"]],
        SIGNATURES.spark_schema(),
    )
    write_table(spark, history, "signatures", rows, {})
    for _ in range(2):
        assert erase_signatures(history, [doc_id("gone")], near=near) == 1

    found = batch("tuesday", {"copy": monday["gone"], "new": " ".join(random_words(random.Random(7), 80))})
    assert {row["doc_id"] for row in found["corpus"]} == {doc_id("new")}
    assert [row["kept_doc_id"] for row in found["duplicates"]] == [doc_id("gone")]
    # A near-duplicate that is longer would displace what an earlier batch kept.
    found = batch("wednesday", {"longer": f"{monday['gone']} and more", "other": "of words that are alone"})
    assert (doc_id("longer") in {row["doc_id"] for row in found["corpus"]}) is not near
    assert not found["superseded"]
    # The batch that it came in is the same batch without it.
    again = batch("monday", {"stays": monday["stays"]})
    assert "signatures" not in again, "the batch counts as changed"
    assert {row["doc_id"] for row in again["corpus"]} == {doc_id("stays")}
