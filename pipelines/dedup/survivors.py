"""Who stays of each cluster, and what is recorded of those who go.

The rule, for equal and for near-equal texts alike: the longest text in UTF-8 bytes stays, and among
texts of the same length the one with the smallest doc_id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.sql import Window
from pyspark.sql import functions as F

from pipelines.dedup.minhash import similarities
from schemas import DUPLICATES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

EXACT, MINHASH = "exact", "minhash"


def assign(documents: DataFrame, labels: DataFrame) -> DataFrame:
    """The survivor of every document's cluster; a survivor is its own.

    Args:
        documents: Columns doc_id, representative, num_bytes and content.
        labels: (node, component) of the representatives that have near-duplicates.

    Returns:
        Columns doc_id, kept_doc_id, cluster_size and method: 'exact' if the text equals that of the
        survivor, else 'minhash'.
    """
    members = documents.join(labels, documents["representative"] == labels["node"], "left").select(
        "doc_id", "num_bytes", "content", F.coalesce("component", "representative").alias("cluster")
    )
    cluster = Window.partitionBy("cluster")
    order = F.struct(-F.col("num_bytes"), "doc_id", "content")
    return (
        members.withColumn("kept", F.min(order).over(cluster))
        .withColumn("cluster_size", F.count("*").over(cluster))
        .select(
            "doc_id",
            F.col("kept.doc_id").alias("kept_doc_id"),
            "cluster_size",
            F.when(F.col("content") == F.col("kept.content"), EXACT).otherwise(MINHASH).alias("method"),
        )
    )


def duplicates(clean: DataFrame, assigned: DataFrame, ngram: int) -> DataFrame:
    """The rows of table `duplicates`.

    Args:
        clean: Table `clean`.
        assigned: What `assign` returned.
        ngram: Words in a shingle, for the similarity.
    """
    gone = assigned.where("doc_id != kept_doc_id").select("doc_id", "kept_doc_id", "method")
    kept = clean.select(
        F.col("doc_id").alias("kept_doc_id"),
        F.col("source_id").alias("kept_source_id"),
        F.col("text").alias("kept_text"),
    )
    near = F.col("method") == MINHASH
    pairs = (
        gone.join(clean.select("doc_id", "source", "source_id", "num_bytes", "text"), "doc_id")
        .join(kept, "kept_doc_id")
        .withColumn("text", F.when(near, F.col("text")))
        .withColumn("kept_text", F.when(near, F.col("kept_text")))
    )
    return pairs.mapInArrow(_with_similarity(ngram), DUPLICATES.spark_schema())


def _with_similarity(ngram: int) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    schema = DUPLICATES.arrow_schema()

    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            near = np.asarray(batch["text"].is_valid())
            similarity = np.ones(batch.num_rows, dtype=np.float64)
            rows = pa.array(np.flatnonzero(near))
            similarity[near] = similarities(batch["text"].take(rows), batch["kept_text"].take(rows), ngram)
            columns = [pa.array(similarity) if name == "similarity" else batch[name] for name in schema.names]
            yield pa.RecordBatch.from_arrays(columns, names=schema.names)

    return convert
