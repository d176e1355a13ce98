"""The stage on Spark against a plain reference, on any partitioning."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.errors import ConfigError
from conf.repeats import RepeatsConfig
from pipelines.repeats.stage import repeats
from schemas.clean import CLEAN
from tests.decontaminate.support import words
from tests.dedup.support import clean_frame, doc_id

FOOTER = "Share this page on all networks"
CONFIG = RepeatsConfig(unit="line", min_documents=3, min_words=3)


def corpus() -> dict[str, str]:
    """Documents with own lines and shared ones, some shared by too few, some too short."""
    random_ = random.Random(2)
    texts = {}
    for number in range(40):
        lines = [f"Document {number} has a line {n} of its own" for n in range(random_.randrange(4))]
        lines += random_.choices(
            [
                FOOTER,
                FOOTER.upper() + "!",
                "Log in",
                "All rights reserved by us",
                f"pair of {number // 2} here",
            ],
            k=random_.randrange(1, 5),
        )
        random_.shuffle(lines)
        texts[f"d{number}"] = "\n".join(lines)
    texts["only"] = f"{FOOTER}\n{FOOTER}"
    return texts


def expected(texts: dict[str, str], config: RepeatsConfig) -> tuple[dict[str, list[str]], dict[Any, Any]]:
    """The lines that stay of every document, and of each repeated line its counts and first document."""
    documents: dict[tuple[str, ...], Counter[str]] = {}
    for name, text in texts.items():
        for line in text.split("\n"):
            key = tuple(words(line))
            if len(key) >= config.min_words:
                documents.setdefault(key, Counter())[doc_id(name)] += 1
    repeated = {key: found for key, found in documents.items() if len(found) >= config.min_documents}
    kept = {
        name: [
            line
            for line in text.split("\n")
            if (found := repeated.get(tuple(words(line)))) is None
            or (config.keep == "first" and min(found) == doc_id(name))
        ]
        for name, text in texts.items()
    }
    return kept, repeated


def run(clean: DataFrame, config: RepeatsConfig) -> dict[str, list[dict[str, Any]]]:
    output = repeats(clean, config)
    for frame in output.shared:
        frame.persist()
    try:
        tables = {}
        for name, frame in output.tables.items():
            rows = [row.asDict(recursive=True) for row in frame.collect()]
            tables[name] = sorted(rows, key=lambda row: str(row.get("doc_id", row.get("unit_hash"))))
        return tables
    finally:
        for frame in output.shared:
            frame.unpersist()


@pytest.mark.parametrize("keep", ["first", "none"])
def test_lines_of_many_documents_are_dropped_and_accounted_for(spark: SparkSession, keep: str) -> None:
    texts = corpus()
    config = CONFIG.model_copy(update={"keep": keep})
    tables = run(clean_frame(spark, texts, partitions=3), config)
    assert run(clean_frame(spark, texts, partitions=5, seed=9), config) == tables
    kept, repeated = expected(texts, config)
    found = {row["source_id"]: row for row in tables["trimmed"]}
    gone = {row["source_id"] for row in tables["emptied"]}
    assert found.keys() | gone == texts.keys()
    assert not found.keys() & gone
    assert gone == {name for name, lines in kept.items() if not lines}
    for name, row in found.items():
        assert row["text"].split("\n") == kept[name]
        assert row["num_bytes"] == len(row["text"].encode())
        assert row["bytes_dropped"] == len(texts[name].encode()) - row["num_bytes"]
        assert row["num_dropped"] == len(texts[name].split("\n")) - len(kept[name])
    by_words = {tuple(words(row["excerpt"])): row for row in tables["repeats"]}
    assert by_words.keys() == repeated.keys()
    for key, counts in repeated.items():
        stays = counts[min(counts)] if keep == "first" else 0
        row = by_words[key]
        assert row["first_doc_id"] == min(counts)
        assert (row["num_documents"], row["num_occurrences"]) == (len(counts), counts.total())
        assert row["num_dropped"] == counts.total() - stays
    dropped = sum(row["num_dropped"] for row in tables["trimmed"] + tables["emptied"])
    assert dropped == sum(row["num_dropped"] for row in tables["repeats"])


def test_more_units_than_fit_raise_the_number_of_documents(spark: SparkSession) -> None:
    texts = {f"d{n}": "\n".join(f"line number {k} is here" for k in range(n)) for n in range(1, 8)}
    # Line k is in 7 - k documents; the two that 6 and more have fit, the third would not.
    output = repeats(clean_frame(spark, texts), CONFIG.model_copy(update={"max_units": 2}))
    try:
        assert output.details == {"units": 2, "least_documents": 6}
    finally:
        for frame in output.shared:
            frame.unpersist()


def test_pairs_stay_whole_and_nothing_repeated_changes_nothing(spark: SparkSession) -> None:
    texts = {f"d{n}": f"{FOOTER}\nand number {n}" for n in range(5)}
    rows = clean_frame(spark, texts).collect()
    pairs = [row.asDict() | {"target": "other side"} for row in rows]
    frame = spark.createDataFrame(
        [tuple(row[name] for name in CLEAN.column_names) for row in pairs], CLEAN.spark_schema()
    )
    tables = run(frame, CONFIG)
    assert {row["source_id"]: row["text"] for row in tables["trimmed"]} == texts
    assert tables["emptied"] == tables["repeats"] == []


def test_no_unit_is_told(spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match=r"repeats\.unit is null"):
        repeats(clean_frame(spark, {"a": "b"}), RepeatsConfig())
