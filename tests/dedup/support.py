"""Rows of `clean` for tests, and a plain reference of words, shingles and Jaccard similarity."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, Phase, settings
from pyspark.sql import DataFrame, SparkSession

from pipelines.stage_output import StageOutput
from schemas.clean import CLEAN

_EMPTY: dict[str, Any] = {"lang": "en", "lang_score": 1.0, "measures": {}, "pii": {}, "source": "f"}

ON_SPARK = settings(
    max_examples=4,
    deadline=None,
    # An example costs seconds: a failing one is reported as found.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def doc_id(name: str) -> str:
    """An id as ingest makes them: 32 hex digits."""
    return hashlib.md5(name.encode()).hexdigest()


def clean_rows(texts: dict[str, str], urls: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """A row of `clean` for each text; the keys become source_id, and doc_id follows from them."""
    rows = []
    for name, text in texts.items():
        row: dict[str, Any] = {}
        for column in CLEAN.columns:
            if column.name in _EMPTY:
                row[column.name] = _EMPTY[column.name]
            elif pa.types.is_integer(column.type):
                row[column.name] = 0
            else:
                row[column.name] = None
        row["url"] = (urls or {}).get(name)
        row |= {"doc_id": doc_id(name), "source_id": name, "text": text, "num_bytes": len(text.encode())}
        rows.append(row)
    return rows


def clean_frame(
    spark: SparkSession,
    texts: dict[str, str],
    partitions: int = 2,
    seed: int = 0,
    urls: dict[str, str] | None = None,
) -> DataFrame:
    """The rows in a random order, in so many partitions."""
    rows = clean_rows(texts, urls)
    random.Random(seed).shuffle(rows)
    ordered = [tuple(row[name] for name in CLEAN.column_names) for row in rows]
    schema = CLEAN.spark_schema()
    return spark.createDataFrame(spark.sparkContext.parallelize(ordered, partitions), schema)


def collect(output: StageOutput) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, ordered by doc_id; lets go of what the stage held."""
    try:
        return {
            name: sorted(
                (row.asDict(recursive=True) for row in frame.collect()), key=lambda row: row["doc_id"]
            )
            for name, frame in output.tables.items()
        }
    finally:
        for frame in output.shared:
            frame.unpersist()


def shingle_set(words: Sequence[str], ngram: int) -> set[tuple[str, ...]]:
    """All n-grams; the whole sequence if it is shorter."""
    if 0 < len(words) < ngram:
        return {tuple(words)}
    return (
        {tuple(words[start : start + ngram]) for start in range(len(words) - ngram + 1)} if words else set()
    )


def jaccard(words: Sequence[str], others: Sequence[str], ngram: int) -> float:
    """By Python sets; 0 for two texts without words."""
    one, other = shingle_set(words, ngram), shingle_set(others, ngram)
    return len(one & other) / len(one | other) if one | other else 0.0


def random_words(random_: random.Random, number: int, vocabulary: int = 5000) -> list[str]:
    return [f"w{random_.randrange(vocabulary)}" for _ in range(number)]
