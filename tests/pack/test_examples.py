"""Documents with several examples come apart into one row each."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from pipelines.pack.examples import SPACING, examples_apart
from schemas.token_ids import BEGINS, LEARNED, binary_ids


def words(*sizes: int) -> np.ndarray:
    found = []
    for number, size in enumerate(sizes):
        part = np.arange(size, dtype=np.uint32) + 10 * number
        part[0] |= BEGINS
        part[-1] |= LEARNED
        found.append(part)
    return np.concatenate(found)


def test_each_example_is_a_row_and_none_is_lost(spark: SparkSession) -> None:
    documents = {"a": words(3), "b": words(2, 5, 4), "c": words(1, 1)}
    flat = np.concatenate(list(documents.values()))
    table = pa.table(
        {
            "split": ["train", "validation", "train"],
            "doc_id": list(documents),
            "copy": pa.array([0, 0, 2], pa.int32()),
            "input_ids": binary_ids(flat, np.array([len(one) for one in documents.values()])),
        }
    )
    rows = examples_apart(spark.createDataFrame(table)).collect()
    found = {(row["doc_id"], row["copy"]): row for row in rows}
    assert set(found) == {("a", 0), ("b", 0), ("b", 1), ("b", 2), ("c", 2 * SPACING), ("c", 2 * SPACING + 1)}
    for doc_id, own in documents.items():
        parts = [found[key] for key in sorted(found) if key[0] == doc_id]
        assert b"".join(part["input_ids"] for part in parts) == own.tobytes()
        assert all(part["num_tokens"] * 4 == len(part["input_ids"]) for part in parts)
        assert all(np.frombuffer(part["input_ids"], np.uint32)[0] & BEGINS for part in parts)
    assert found["b", 1]["split"] == "validation"
