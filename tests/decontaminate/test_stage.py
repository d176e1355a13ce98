"""Decontamination on Spark: who leaves, what is told of each set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from conf.decontaminate import DecontaminateConfig
from conf.dedup import DedupConfig
from pipelines.clean.forms import CleanedForms
from pipelines.decontaminate.stage import decontaminate
from pipelines.dedup.stage import dedup
from schemas.contaminated import CONTAMINATED
from schemas.corpus import CORPUS
from tests.decontaminate.support import write_jsonl
from tests.dedup.support import clean_frame, doc_id

QUESTION = "Which of the seven hills did the younger brother choose when both wanted to found a city"
SHORT = "What is the name of that small river there"
FILLER = " ".join(f"filler{n}" for n in range(30))


def settings(folder: Path) -> DecontaminateConfig:
    first = write_jsonl(folder / "first.jsonl", [{"id": "q1", "q": QUESTION}, {"id": "q2", "q": SHORT}])
    second = write_jsonl(
        folder / "second.jsonl", [{"id": "x", "q": QUESTION + " of marble"}, {"id": "y", "q": "no"}]
    )
    sets = [{"path": first, "name": "one"}, {"path": second, "name": "two"}]
    return DecontaminateConfig.model_validate({"sets": sets})


def texts() -> dict[str, str]:
    return {
        "whole": f"{FILLER} a\n{QUESTION.upper()}?",
        "short": f"So: {SHORT.replace(' ', ', ')}! {FILLER} b",
        "clean": f"{FILLER} c nothing of it",
        "near": " ".join(QUESTION.split()[:12]),
        **{f"other{n}": f"document {n} about number {n}" for n in range(20)},
    }


def collect(frame: DataFrame) -> list[dict[str, Any]]:
    return sorted((row.asDict() for row in frame.collect()), key=lambda row: row["doc_id"])


def test_survivors_that_overlap_leave_and_every_set_is_told_of(spark: SparkSession, tmp_path: Path) -> None:
    config = settings(tmp_path)
    given = texts()
    clean = clean_frame(spark, given, partitions=3)
    first = dedup(clean, DedupConfig(method="exact", validation_fraction=0.5))
    before = {row["doc_id"] for row in collect(first.tables["corpus"])}
    output = decontaminate(first.tables["corpus"], config, CleanedForms(), clean)
    assert tuple(output.tables["corpus"].columns) == CORPUS.column_names
    assert tuple(output.tables["contaminated"].columns) == CONTAMINATED.column_names
    gone = {row["source_id"]: row for row in collect(output.tables["contaminated"])}
    assert gone.keys() == {"whole", "short"}
    left = {row["doc_id"] for row in collect(output.tables["corpus"])}
    assert left | {doc_id(name) for name in gone} == before
    assert left.isdisjoint(doc_id(name) for name in gone)
    # 17 words have 5 n-grams of 13; the document has 31 + 17 words.
    row = gone["whole"]
    assert (row["eval_set"], row["item_id"], row["eval_sets"]) == ("one", "q1", ["one", "two"])
    assert (row["num_ngrams"], row["share"]) == (5, 5 / (48 - 12))
    assert row["example"] == " ".join(QUESTION.lower().split()[:13])
    assert gone["short"]["eval_sets"] == ["one"]
    assert gone["short"]["item_id"] == "q2"
    assert output.details["decontamination"]["sets"] == {
        "one": {
            "items": 2,
            "items_found": 2,
            "documents": 2,
            "texts": 1,
            "short_texts": 1,
            "texts_too_short": 0,
        },
        "two": {
            "items": 2,
            "items_found": 1,
            "documents": 1,
            "texts": 1,
            "short_texts": 0,
            "texts_too_short": 1,
        },
    }
    for frame in (*output.shared, *first.shared):
        frame.unpersist()


def test_the_other_side_of_a_pair_is_searched(spark: SparkSession, tmp_path: Path) -> None:
    columns = "doc_id string, source string, source_id string, num_bytes long, text string, target string"
    rows = [("a", "f", "a", 1, FILLER, QUESTION), ("b", "f", "b", 1, FILLER, None)]
    output = decontaminate(spark.createDataFrame(rows, columns), settings(tmp_path), CleanedForms())
    assert [row["doc_id"] for row in collect(output.tables["corpus"])] == ["b"]
    for frame in output.shared:
        frame.unpersist()
