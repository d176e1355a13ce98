"""Batches that replace and delete files: what they keep is what one run over the files of today keeps."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.dedup import DedupConfig
from pipelines.dedup import history as past
from pipelines.dedup.stage import History, dedup
from schemas.clean import CLEAN
from schemas.signatures import SIGNATURES
from tests.dedup.support import clean_rows, collect, doc_id

Rows = list[dict[str, Any]]
Files = dict[str, list[str]]
"""The texts of each file."""


def rows_of(files: Files) -> dict[str, dict[str, Any]]:
    """The rows of `clean` by doc_id; as in ingest an id follows from the file, the place and the text."""
    found = {}
    for file, texts in files.items():
        for place, text in enumerate(texts):
            name = f"{file}:{place}:{hashlib.md5(text.encode()).hexdigest()}"
            (row,) = clean_rows({name: text})
            found[doc_id(name)] = {**row, "source": file}
    return found


def frame_of(spark: SparkSession, rows: dict[str, dict[str, Any]]) -> DataFrame:
    ordered = [tuple(row[name] for name in CLEAN.column_names) for row in rows.values()]
    return spark.createDataFrame(ordered, CLEAN.spark_schema())


class Days:
    """A lake in memory that lives by batches: what a run does with its tables, on lists of rows."""

    def __init__(self, spark: SparkSession, config: DedupConfig) -> None:
        self.spark, self.config = spark, config
        self.files: Files = {}
        self.signatures: Rows = []
        self.clean: dict[str, dict[str, Any]] = {}
        self.corpus: dict[str, int] = {}
        self.kept: dict[str, str] = {}
        self.reopened = 0

    def day(self, changed: Files, deleted: set[str]) -> None:
        """One batch: files that are new or changed with their texts, files that are gone."""
        number = len({row["sequence"] for row in self.signatures})
        history = self.spark.createDataFrame(
            [tuple(row.values()) for row in self.signatures], SIGNATURES.spark_schema()
        )
        away = deleted | (changed.keys() & self.files.keys())
        added = rows_of(changed)
        withdrawn = None
        if away:
            sources = self.spark.createDataFrame([(source,) for source in sorted(away)], "source string")
            found = past.withdrawals(past.before(history, f"day{number}"), sources, 50, lambda _line: None)
            rows = [tuple(row) for row in found.collect()]
            withdrawn = self.spark.createDataFrame(rows, found.schema)
            for id_, source, is_reopened in rows:
                assert is_reopened == (source not in away)
                self.corpus.pop(id_, None)
                self.kept.pop(id_, None)
                if is_reopened:
                    added[id_] = self.clean[id_]
                    self.reopened += 1
                else:
                    self.clean.pop(id_)
        output = dedup(
            frame_of(self.spark, added), self.config, history=History(history, f"day{number}", withdrawn)
        )
        tables = collect(output)
        self.signatures += [
            {name: row[name] for name in SIGNATURES.column_names} for row in tables["signatures"]
        ]
        for row in tables["superseded"]:
            assert self.corpus.pop(row["doc_id"], None) is not None
            self.kept[row["doc_id"]] = row["kept_doc_id"]
        for row in tables["corpus"]:
            assert row["doc_id"] not in self.corpus
            self.corpus[row["doc_id"]] = row["cluster_size"]
        self.kept |= {row["doc_id"]: row["kept_doc_id"] for row in tables["duplicates"]}
        self.clean |= added
        self.files = {name: texts for name, texts in self.files.items() if name not in away} | changed

    def survivor(self, id_: str) -> str:
        """Who stays for a document now: what stood for it may have found another one since."""
        while id_ in self.kept:
            id_ = self.kept[id_]
        return id_


def worlds(random_: random.Random, number: int) -> list[str]:
    """Texts that overlap in chains: windows of one text for each small world, some equal, some empty."""
    texts = []
    for world in range(number):
        words = [f"w{world}x{place}" for place in range(30)]
        for _ in range(random_.randrange(3, 7)):
            start, size = random_.randrange(26), random_.randrange(4, 14)
            text = " ".join(words[start : start + size])
            texts.append(random_.choice(["", text, text, text, text.upper()]))
    random_.shuffle(texts)
    return texts


@pytest.mark.parametrize(
    ("seed", "method", "keep", "days"),
    [
        (1, "minhash", "longest", 4),
        pytest.param(2, "minhash", "first", 30, marks=[pytest.mark.rare, pytest.mark.timeout(1800)]),
        pytest.param(3, "exact", "longest", 8, marks=pytest.mark.rare),
    ],
)
def test_days_with_replaced_and_deleted_files_keep_what_one_run_keeps(
    spark: SparkSession, seed: int, method: Any, keep: Any, days: int
) -> None:
    random_ = random.Random(seed)
    settings: dict[str, Any] = {"method": method, "keep": keep, "bands": 6, "rows": 1, "ngram": 2}
    lake = Days(spark, DedupConfig(history="h", **settings))
    texts = worlds(random_, 40)
    cut = len(texts) // (days + 1)
    for number in range(days):
        own = texts[number * cut : (number + 1) * cut]
        changed = {f"f{number}.{part}": own[part::4] for part in range(4)}
        old = sorted(lake.files)
        deleted = set(random_.sample(old, min(len(old), 1)))
        for name in random_.sample(old, min(len(old), 2)):
            if name not in deleted:
                # One text goes, one comes that another file may have; the others keep their place or move.
                kept, new = lake.files[name][1:], random_.choice(texts)
                changed[name] = random_.choice([[*kept, new], [new, *kept]])
        lake.day(changed, deleted)
    today = rows_of(lake.files)
    whole = collect(dedup(frame_of(spark, today), DedupConfig(**settings)))
    assert set(lake.corpus) == {row["doc_id"] for row in whole["corpus"]}
    survivors = {row["doc_id"]: row["kept_doc_id"] for row in whole["duplicates"]}
    assert {id_: lake.survivor(id_) for id_ in today} == {id_: survivors.get(id_, id_) for id_ in today}
    assert lake.clean == today
    assert lake.reopened > 5, "no cluster lost a member"
