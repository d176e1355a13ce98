"""The clean stage in Spark: tables, accounts, and the same rows for any partitioning."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf import ConfigError
from conf.data import CleanConfig
from pipelines.clean.stage import clean
from pipelines.stage import StageOutput
from schemas import DOCUMENTS, TABLES
from tests.support.corpus import docstrings

JUNK = [
    "",
    "Base API.",
    ">>> 1 + 1\n2",
    "Mail jo@example.org for the rest of it.",
    "Caf\u0065\u0301 is open at noon.\r\n",
]


@pytest.fixture(scope="module")
def documents(spark: SparkSession) -> DataFrame:
    texts = [*docstrings(1)[:400], *JUNK]
    rows = [
        (
            f"{i:032x}",
            "a.jsonl",
            i,
            None if i % 7 == 0 else f"id{i}",
            "record",
            text,
            None,
            len(text.encode()),
            None,
            {},
            False,
        )
        for i, text in enumerate(texts)
    ]
    return spark.createDataFrame(rows, DOCUMENTS.spark_schema()).cache()


def collect(output: StageOutput) -> dict[str, list[dict[str, Any]]]:
    (shared,) = output.shared
    shared.persist()
    try:
        return {
            name: sorted((row.asDict() for row in frame.collect()), key=lambda row: str(row["doc_id"]))
            for name, frame in output.tables.items()
        }
    finally:
        shared.unpersist()


def test_every_document_is_in_one_table_with_its_evidence(documents: DataFrame) -> None:
    output = clean(documents, CleanConfig())
    for name, frame in output.tables.items():
        wanted = TABLES[name].spark_schema()
        assert [(f.name, f.dataType) for f in frame.schema] == [(f.name, f.dataType) for f in wanted]
    found = collect(output)
    kept, rejected = found["clean"], found["rejected"]
    inputs = {row.doc_id: row for row in documents.collect()}
    assert sorted(row["doc_id"] for row in kept + rejected) == sorted(inputs)
    assert len(kept) > 300
    assert len(rejected) >= 3
    for row in kept:
        assert row["source_id"] == inputs[row["doc_id"]].source_id
        assert row["num_bytes"] == len(row["text"].encode())
        assert set(row["measures"]) == set(output.details["thresholds"])
    for row in rejected:
        assert row["num_bytes"] == inputs[row["doc_id"]].num_bytes
        assert row["threshold"] == output.details["thresholds"][row["rule"]]
        assert (
            row["value"] < row["threshold"] if row["comparison"] == "<" else row["value"] > row["threshold"]
        )
    by_text = {inputs[row["doc_id"]].text: row for row in kept + rejected}
    assert by_text[JUNK[0]]["rule"] == by_text[JUNK[1]]["rule"] == "documentation.prose_words.min"
    assert (by_text[JUNK[3]]["text"], by_text[JUNK[3]]["pii"]) == (
        "Mail [EMAIL] for the rest of it.",
        {"email": 1},
    )
    assert (by_text[JUNK[4]]["text"], by_text[JUNK[4]]["num_repairs"]) == ("Café is open at noon.", 4)


@pytest.mark.parametrize(
    "config", [CleanConfig(), CleanConfig(profile="fineweb", thresholds={"gopher.words.min": 5})]
)
def test_the_same_rows_for_any_partitioning(documents: DataFrame, config: CleanConfig) -> None:
    one, seven = (collect(clean(documents.repartition(count), config)) for count in (1, 7))
    assert one == seven
    assert len(one["clean"]) + len(one["rejected"]) == documents.count()


def test_an_empty_table_gives_empty_tables(documents: DataFrame) -> None:
    found = collect(clean(documents.limit(0), CleanConfig()))
    assert list(itertools.chain(*found.values())) == []


def test_a_mistake_is_met_before_any_task_runs(documents: DataFrame) -> None:
    with pytest.raises(ConfigError, match="documentation"):
        clean(documents, CleanConfig(profile="docs"))
