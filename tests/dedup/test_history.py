"""Batches against a history: together they keep what one big run keeps."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.dedup import DedupConfig
from pipelines.dedup.stage import History, dedup
from pipelines.errors import InputError
from schemas.signatures import SIGNATURES
from tests.dedup.support import clean_frame, collect, doc_id, random_words

BASE = random_words(random.Random(3), 90)
Texts = dict[str, str]
Rows = list[dict[str, Any]]


class Batches:
    """A history in memory: what the run does with the table, on lists of rows."""

    def __init__(self, spark: SparkSession, **config: Any) -> None:
        self.spark = spark
        self.config = DedupConfig(history="h", **config)
        self.rows: Rows = []
        self.corpus: set[str] = set()
        self.superseded: set[str] = set()

    def run(self, name: str, texts: Texts) -> dict[str, Rows]:
        schema = SIGNATURES.spark_schema()
        frame = self.spark.createDataFrame([tuple(row.values()) for row in self.rows], schema)
        output = dedup(clean_frame(self.spark, texts), self.config, history=History(frame, name))
        tables = collect(output)
        number = output.details["batch_number"]
        if "signatures" in tables:
            added = [{key: row[key] for key in SIGNATURES.column_names} for row in tables["signatures"]]
            self.rows = [row for row in self.rows if row["sequence"] != number] + added
        assert len(tables["corpus"]) + len(tables["duplicates"]) == len(texts)
        return tables

    def add(self, name: str, texts: Texts) -> None:
        tables = self.run(name, texts)
        kept = {row["doc_id"] for row in tables["corpus"]}
        assert not kept & self.corpus, "two batches keep one document"
        self.corpus |= kept
        gone = {row["doc_id"] for row in tables["superseded"]}
        assert gone <= self.corpus, "superseded a document that no batch kept"
        assert not gone & self.superseded, "superseded twice"
        self.superseded |= gone


def one_run(spark: SparkSession, texts: Texts, **config: Any) -> set[str]:
    output = collect(dedup(clean_frame(spark, texts), DedupConfig(**config)))
    return {row["doc_id"] for row in output["corpus"]}


def scenarios(random_: random.Random, number: int, num_batches: int) -> list[Texts]:
    """Batches of so many small worlds, which share no word with one another: each is an example of its own.

    The texts of a world are windows of one text that overlap, so that chains within a batch and bridges
    between older clusters are frequent. Some documents come again in a later batch.
    """
    batches: list[Texts] = [{} for _ in range(num_batches)]
    for world in range(number):
        words = [f"w{world}x{place}" for place in range(40)]
        for batch, texts in enumerate(batches):
            for index in range(random_.randrange(5)):
                start, size = random_.randrange(34), random_.randrange(4, 16)
                text = " ".join(words[start : start + size])
                texts[f"{world}.{batch}.{index}"] = random_.choice(
                    ["", "---", text, text, text, text.upper()]
                )
            if batch and random_.random() < 0.2 and (old := batches[batch - 1]):
                name = random_.choice(sorted(old))
                texts[name] = old[name]
    return batches


@pytest.mark.parametrize(
    ("method", "keep", "num_batches"),
    [("minhash", "longest", 3), pytest.param("exact", "first", 2, marks=pytest.mark.rare)],
)
def test_batches_keep_what_one_big_run_keeps(
    spark: SparkSession, method: str, keep: str, num_batches: int
) -> None:
    config = {"method": method, "keep": keep, "bands": 6, "rows": 1, "ngram": 2}
    batches = scenarios(random.Random(num_batches), 60, num_batches)
    history = Batches(spark, **config)
    for number, batch in enumerate(batches):
        history.add(f"b{number}", batch)
    everything = {name: text for batch in batches for name, text in batch.items()}
    assert history.corpus - history.superseded == one_run(spark, everything, **config)
    assert sorted(row["doc_id"] for row in history.rows) == sorted(map(doc_id, everything))
    if method == "minhash":
        assert len(history.superseded) > 30
        assert sum(len(row["links"]) for row in history.rows) > 30


@pytest.mark.rare
def test_a_batch_again_gives_the_same_and_a_changed_one_is_replaced_or_refused(spark: SparkSession) -> None:
    history = Batches(spark, ngram=2)
    short, middle, long = (" ".join(BASE[:size]) for size in (80, 84, 88))
    others = random_words(random.Random(4), 60)
    monday = {"a": middle, "b": " ".join(others)}
    tuesday = {"c": long, "d": short, "e": " ".join(others), "f": " ".join(others[:58])}
    first = history.run("mon", monday)
    assert not first["superseded"]
    second = history.run("tue", tuesday)
    rows = list(history.rows)
    gone = {row["source_id"]: row for row in second["duplicates"]}
    assert {name: (row["kept_doc_id"], row["method"]) for name, row in gone.items()} == {
        "d": (doc_id("c"), "minhash"),
        "e": (doc_id("b"), "exact"),
        "f": (doc_id("b"), "minhash"),
    }
    assert [gone[name]["similarity"] for name in "ef"] == [1.0, None]
    assert [(row["doc_id"], row["kept_doc_id"], row["batch"]) for row in second["superseded"]] == [
        (doc_id("a"), doc_id("c"), "mon")
    ]
    assert [(row["doc_id"], row["cluster_size"]) for row in second["corpus"]] == [(doc_id("c"), 3)]
    again = history.run("tue", tuesday)
    assert "signatures" not in again
    assert again == {name: second[name] for name in again}
    assert history.rows == rows
    with pytest.raises(InputError, match=r"batch 'mon' is number 0.*--batch"):
        history.run("mon", {"a": "changed"})
    with pytest.raises(InputError, match=r"all 1 documents of batch 'wed' are in the history"):
        history.run("wed", {"a": middle})
    history.run("tue", {"c": long})
    assert sorted(row["doc_id"] for row in history.rows) == sorted(map(doc_id, "abc"))
    history.config = DedupConfig(history="h", ngram=3)
    with pytest.raises(InputError, match=r'"ngram": 2.*"ngram": 3'):
        history.run("thu", {"z": "one two three"})
