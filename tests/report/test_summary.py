"""Sums over a table in one pass."""

from __future__ import annotations

import statistics

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipelines.report.summary import Group, summarize

LENGTHS = [0, 1, 1, 2, 3, 7, 8, 100, 1000, 1023, 1024, 5000, 100_000]


def test_everything_about_a_column(spark: SparkSession) -> None:
    rows = [(length, "ab"[length % 2], 10) for length in LENGTHS]
    frame = spark.createDataFrame(rows, "length long, parity string, ten long")
    result = summarize(frame, "length", "parity", {"big": (F.col("length") > 999).cast("long")})
    assert result.rows == 13
    assert result.sums == {"length": sum(LENGTHS), "big": 5}
    # 0 counts as 1; 2 and 3; 7; 8; 64 to 127; 512 to 1023; 1024 to 2047; 4096 to 8191; 65536 and on.
    assert result.bins == {0: 3, 1: 2, 2: 1, 3: 1, 6: 1, 9: 2, 10: 1, 12: 1, 16: 1}
    odd = [length for length in LENGTHS if length % 2]
    assert result.groups["b"] == Group(len(odd), {"length": sum(odd), "big": 1})
    assert result.groups["a"].rows == 13 - len(odd)
    assert (result.quantiles[0], result.quantiles[-1]) == (0, 100_000)
    assert result.quantiles[2] == statistics.median(LENGTHS)


def test_quantiles_are_off_by_no_more_than_a_bin(spark: SparkSession) -> None:
    values = [round(1.01**power) for power in range(400, 1500)]
    frame = spark.createDataFrame([(value,) for value in values], "length long").repartition(7)
    result = summarize(frame, "length")
    for measured, exact in zip(result.quantiles[1:-1], statistics.quantiles(values, n=4), strict=True):
        assert measured == pytest.approx(exact, rel=0.03)
    assert result.groups == {}


def test_no_rows(spark: SparkSession) -> None:
    result = summarize(spark.createDataFrame([], "length long"), "length")
    assert (result.rows, result.sums, result.quantiles, result.bins) == (0, {"length": 0}, (), {})
