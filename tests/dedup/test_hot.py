"""A cluster of 100,000 documents that share every bucket."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.dedup import DedupConfig
from pipelines.dedup.clusters import LOCAL_BYTES
from pipelines.dedup.stage import dedup
from tests.dedup.support import clean_frame

SIZE = 100_000


@pytest.mark.parametrize("local_bytes", [LOCAL_BYTES, 0], ids=["one task", "joins"])
def test_a_hot_bucket_gives_one_survivor_and_an_edge_a_document(
    spark: SparkSession, local_bytes: int
) -> None:
    """The texts differ in punctuation alone: different contents, equal shingles, every band in common."""
    one = clean_frame(spark, {"a": "x"}).drop("doc_id", "text", "num_bytes")
    number = spark.range(0, SIZE, 1, 8)
    marks = F.translate(F.bin("id"), "01", "?!")
    clean = (
        number.crossJoin(one)
        .withColumn("text", F.concat(F.lit("the same words again "), marks))
        .withColumn("doc_id", F.md5(F.col("id").cast("string")))
        .withColumn("num_bytes", F.octet_length("text").cast("long"))
        .drop("id")
    )
    skew = {"spark.sql.adaptive.skewJoin.skewedPartitionThresholdInBytes": "64k"}
    before = {key: spark.conf.get(key) for key in skew}
    try:
        for key, value in skew.items():
            spark.conf.set(key, value)
        output = dedup(clean, DedupConfig(bands=4, rows=2), local_bytes=local_bytes)
        corpus = output.tables["corpus"].collect()
        duplicates = output.tables["duplicates"].agg(
            F.count("*"), F.countDistinct("kept_doc_id"), F.min("similarity")
        )
        assert duplicates.first() == (SIZE - 1, 1, 1.0)
    finally:
        for key, old in before.items():
            spark.conf.set(key, str(old))
        for frame in output.shared:
            frame.unpersist()
    assert [row["cluster_size"] for row in corpus] == [SIZE]
    assert output.details["near_duplicate_edges"] == SIZE - 1
