"""Who stays of each cluster, and what is recorded of those who go.

The rule, for all methods alike. `longest`: the longest text in UTF-8 bytes stays. `first`: the one whose
source comes first by name. Among equals the one with the smallest doc_id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

from pipelines.dedup.minhash import Unit, similarities
from pipelines.worker import Kernel, in_warm_worker
from schemas.duplicates import DUPLICATES

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    # What a worker imports it waits for: 0.2 s for the configuration.
    from conf.dedup import DedupConfig

URL, EXACT, MINHASH = "url", "exact", "minhash"


def connecting(config: DedupConfig) -> str:
    """Method of documents in one cluster of which neither the addresses nor the texts are equal."""
    return MINHASH if config.method == "minhash" else URL


def order(config: DedupConfig) -> Column:
    """The survivor of a cluster has the smallest of these.

    Needs columns doc_id, num_bytes, source, content, address and batch; doc_id is the last that counts.
    """
    first = -F.col("num_bytes") if config.keep == "longest" else F.col("source")
    return F.struct(first.alias("rank"), "doc_id", "num_bytes", "source", "content", "address", "batch")


def assign(
    documents: DataFrame, labels: DataFrame, config: DedupConfig, older: DataFrame | None = None
) -> DataFrame:
    """The survivor of every document's cluster; a survivor is its own.

    Args:
        documents: Columns doc_id, representative, is_known, num_bytes, source, content, address.
        labels: (node, component) of the representatives that are connected.
        config: The section `dedup`.
        older: (cluster, best, size) of clusters of earlier batches.

    Returns:
        Columns doc_id, is_known, cluster, kept_doc_id, kept_batch (null: this one), cluster_size,
        is_equal (to the survivor's text) and method: 'url' if the address is that of the survivor, else
        'exact' if the text is, else 'minhash', or 'url' if only addresses connect documents.
    """
    members = documents.join(labels, documents["representative"] == labels["node"], "left").select(
        "doc_id",
        "is_known",
        "num_bytes",
        "source",
        "content",
        "address",
        F.lit(None).cast("string").alias("batch"),
        F.coalesce("component", "representative").alias("cluster"),
    )
    kept = (
        members.where("not is_known")
        .groupBy("cluster")
        .agg(F.min(order(config)).alias("best"), F.count("*").alias("size"))
    )
    if older is not None:
        kept = (
            kept.union(older.select("cluster", "best", "size"))
            .groupBy("cluster")
            .agg(F.min("best").alias("best"), F.sum("size").alias("size"))
        )
    same_address = F.coalesce(F.col("address") == F.col("best.address"), F.lit(False))
    same_text = F.col("content") == F.col("best.content")
    return members.join(kept, "cluster").select(
        "doc_id",
        "is_known",
        "cluster",
        F.col("best.doc_id").alias("kept_doc_id"),
        F.col("best.batch").alias("kept_batch"),
        F.col("size").alias("cluster_size"),
        same_text.alias("is_equal"),
        F.when(same_address, URL).when(same_text, EXACT).otherwise(connecting(config)).alias("method"),
    )


def stays() -> Column:
    """Whether a row of `assigned` is its cluster's survivor, and of this batch."""
    return (F.col("doc_id") == F.col("kept_doc_id")) & F.col("kept_batch").isNull()


def duplicates(clean: DataFrame, clustered: DataFrame, config: DedupConfig) -> DataFrame:
    """The rows of table `duplicates`.

    Args:
        clean: Table `clean`.
        clustered: What `assign` returned, at least the rows of clusters of more than one.
        config: The section `dedup`, for the similarity.
    """
    gone = clustered.where(~stays())
    # A survivor of an earlier batch may have a doc_id that this one has too, with another text.
    near = ~F.col("is_equal") & F.col("kept_batch").isNull()
    removed = gone.join(clean, "doc_id").select(
        *("doc_id", "source", "source_id", "kept_doc_id", "method", "num_bytes"),
        near.alias("near"),
        F.when(near, F.col("text")).alias("text"),
        F.when(F.col("is_equal"), F.lit(1.0)).alias("similarity"),
    )
    # Only texts of survivors are moved; of a bucket of any size that is one.
    kept = clean.select(
        F.col("doc_id").alias("kept_doc_id"),
        F.col("source_id").alias("kept_source_id"),
        F.col("text").alias("kept_text"),
    ).join(gone, "kept_doc_id", "left_semi")
    pairs = removed.join(kept, "kept_doc_id", "left").select(
        *("doc_id", "source", "source_id", "kept_doc_id", "kept_source_id", "method", "similarity"),
        *("num_bytes", "text", F.when(F.col("near"), F.col("kept_text")).alias("kept_text")),
    )
    return pairs.mapInArrow(_with_similarity(config.ngram, config.unit), DUPLICATES.spark_schema())


def _with_similarity(ngram: int, unit: Unit) -> Kernel:
    schema = DUPLICATES.arrow_schema()

    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            near = np.asarray(batch["text"].is_valid())
            given = batch["similarity"]
            values = np.asarray(given.fill_null(0.0)).copy()
            rows = pa.array(np.flatnonzero(near))
            texts, others = batch["text"].take(rows), batch["kept_text"].take(rows)
            values[near] = similarities(texts, others, ngram, unit)
            known = near | np.asarray(given.is_valid())
            similarity = pa.array(values, mask=~known)
            columns = [similarity if name == "similarity" else batch[name] for name in schema.names]
            yield pa.RecordBatch.from_arrays(columns, names=schema.names)

    return in_warm_worker(convert)
