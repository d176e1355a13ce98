"""Reading the lake for the report: pinned tables, and all sums over one of them in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pipelines.lake import Catalog, Lake, TableInfo, read_table
from schemas import RUNS, TABLES

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Minimum, quartiles and maximum: the five-number summary of Tukey (1977, Exploratory Data Analysis, 2B)."""

ACCURACY = 1000
"""Of Spark's approximate percentiles: their rank is off by at most 1/1000 of the rows."""


class Tables:
    """The tables of a lake, each pinned at the version it has now, so that all queries agree."""

    def __init__(self, spark: SparkSession, lake: Lake) -> None:
        catalog = Catalog(lake)
        self._spark = spark
        self._lake = lake
        self.infos: dict[str, TableInfo] = {
            name: catalog.info(name) for name in catalog.names() if name in TABLES and name != RUNS.name
        }

    def __contains__(self, name: object) -> bool:
        return name in self.infos

    def rows(self, name: str) -> int:
        """Rows of a table, from its log."""
        return self.infos[name].rows

    def frame(self, name: str) -> DataFrame:
        """A table at its pinned version."""
        return read_table(self._spark, self._lake, name, self.infos[name].version)

    def excerpts(self, name: str, doc_ids: Sequence[str], chars: int) -> dict[str, str]:
        """The first characters of the texts of some documents, one more than asked where there are more."""
        if name not in self or not doc_ids:
            return {}
        frame = self.frame(name).where(F.col("doc_id").isin(list(doc_ids)))
        rows = frame.select("doc_id", F.substring("text", 1, chars + 1).alias("excerpt")).collect()
        return {row["doc_id"]: row["excerpt"] for row in rows}


@dataclass(frozen=True)
class Group:
    """Sums over some rows: how many, and the total of each summed column by its name."""

    rows: int
    sums: dict[str, int]


@dataclass(frozen=True)
class Summary:
    """Sums over a whole table.

    Attributes:
        rows: Number of rows.
        sums: Total of each summed column.
        quantiles: `QUANTILES` of the length column; empty where there are no rows.
        bins: Rows by floor(log2(length)).
        groups: For each grouping column the sums of each of its values.
    """

    rows: int
    sums: dict[str, int]
    quantiles: tuple[float, ...]
    bins: dict[int, int]
    groups: dict[str, dict[str, Group]]


def summarize(
    frame: DataFrame, length: str, groups: Sequence[str] = (), totals: Mapping[str, Column] | None = None
) -> Summary:
    """Everything the report wants to know of a table, in one pass over it.

    Args:
        frame: The table.
        length: Column of whole numbers whose quantiles, bins and total are wanted.
        groups: Columns by which rows and totals are broken down, each on its own.
        totals: What else to total, by the name it gets in `sums`.
    """
    summed = {length: F.col(length), **(totals or {})}
    binned = frame.withColumn("bin", F.floor(F.log2(F.greatest(F.col(length), F.lit(1)))))
    keys = ("bin", *groups)
    rows = (
        binned.groupingSets([[], *[[key] for key in keys]], *keys)
        .agg(
            F.grouping_id().alias("set"),
            F.count("*").alias("rows"),
            F.percentile_approx(length, list(QUANTILES), ACCURACY).alias("quantiles"),
            *[F.sum(value).alias(f"sum {name}") for name, value in summed.items()],
        )
        .collect()
    )
    everything = (1 << len(keys)) - 1
    result = Summary(
        rows=0, sums=dict.fromkeys(summed, 0), quantiles=(), bins={}, groups={g: {} for g in groups}
    )
    for row in rows:
        sums = {name: int(row[f"sum {name}"] or 0) for name in summed}
        if row["set"] == everything:
            quantiles = tuple(float(value) for value in row["quantiles"] or ())
            result = Summary(int(row["rows"]), sums, quantiles, result.bins, result.groups)
            continue
        # grouping_id has a zero bit, most significant first, for the column that is grouped by.
        key = next(key for index, key in enumerate(keys) if not row["set"] >> (len(keys) - 1 - index) & 1)
        if key == "bin":
            result.bins[int(row["bin"])] = int(row["rows"])
        else:
            result.groups[key][str(row[key])] = Group(int(row["rows"]), sums)
    return result
