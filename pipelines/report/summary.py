"""Reading the lake for the report: pinned tables, and all sums over one of them in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from pipelines.added import every_table
from pipelines.lake import Catalog, Lake, TableInfo, read_table
from schemas.runs import RUNS

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Minimum, quartiles and maximum: the five-number summary of Tukey (1977, Exploratory Data Analysis, 2B)."""

ACCURACY = 1000
"""Of Spark's approximate percentiles: their rank is off by at most 1/1000 of the rows."""

BINS_PER_OCTAVE = 32
"""Lengths are counted in bins this fine: a bin spans 2.2%, and below 32 each length has its own."""


class Tables:
    """The tables of a lake, each pinned at the version it has now, so that all queries agree."""

    def __init__(self, spark: SparkSession, lake: Lake) -> None:
        catalog, known = Catalog(lake), every_table()
        self._spark = spark
        self._lake = lake
        self.infos: dict[str, TableInfo] = {
            name: catalog.info(name) for name in catalog.names() if name in known and name != RUNS.name
        }
        self._frames: dict[str, DataFrame] = {}

    def __contains__(self, name: object) -> bool:
        return name in self.infos

    def rows(self, name: str) -> int:
        """Rows of a table, from its log."""
        return self.infos[name].rows

    def frame(self, name: str) -> DataFrame:
        """A table at its pinned version."""
        if name not in self._frames:
            self._frames[name] = read_table(self._spark, self._lake, name, self.infos[name].version)
        return self._frames[name]

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
        quantiles: `QUANTILES` of the length column, those inside to 2.2%; empty where there are no rows.
        bins: Rows by floor(log2(length)).
        groups: Rows and sums of each value of the grouping column, if one was named.
    """

    rows: int
    sums: dict[str, int]
    quantiles: tuple[float, ...]
    bins: dict[int, int]
    groups: dict[str, Group]


def summarize(
    frame: DataFrame, length: str, group: str | None = None, totals: Mapping[str, Column] | None = None
) -> Summary:
    """Everything the report wants to know of a table, in one pass that a hash aggregate does.

    Args:
        frame: The table.
        length: Column of whole numbers whose quantiles, bins and total are wanted.
        group: Column by which rows and totals are broken down.
        totals: What else to total, by the name it gets in `sums`.
    """
    summed = {length: F.col(length), **(totals or {})}
    fine = F.floor(F.log2(F.greatest(F.col(length), F.lit(1))) * BINS_PER_OCTAVE)
    value = F.lit("") if group is None else F.col(group)
    cells = (
        frame.groupBy(fine.alias("bin"), value.alias("group"))
        .agg(
            F.count("*").alias("rows"),
            F.min(length).alias("least"),
            F.max(length).alias("most"),
            *[F.sum(column).alias(f"sum {name}") for name, column in summed.items()],
        )
        .orderBy("bin", "group")
        .collect()
    )
    bins: dict[int, int] = {}
    groups: dict[str, Group] = {}
    for cell in cells:
        octave = int(cell["bin"]) // BINS_PER_OCTAVE
        bins[octave] = bins.get(octave, 0) + cell["rows"]
        before = groups.get(cell["group"], Group(0, dict.fromkeys(summed, 0)))
        sums = {name: total + int(cell[f"sum {name}"] or 0) for name, total in before.sums.items()}
        groups[cell["group"]] = Group(before.rows + cell["rows"], sums)
    return Summary(
        rows=sum(part.rows for part in groups.values()),
        sums={name: sum(part.sums[name] for part in groups.values()) for name in summed},
        quantiles=_quantiles(cells, length),
        bins=bins,
        groups={} if group is None else groups,
    )


def _quantiles(cells: Sequence[Row], length: str) -> tuple[float, ...]:
    """Least and greatest length exactly, those between as the mean length of their fine bin."""
    if not cells:
        return ()
    by_bin: dict[int, tuple[int, int]] = {}
    for cell in cells:
        rows, total = by_bin.get(cell["bin"], (0, 0))
        by_bin[cell["bin"]] = (rows + cell["rows"], total + int(cell[f"sum {length}"]))
    num_rows = sum(rows for rows, _ in by_bin.values())
    inside = []
    for quantile in QUANTILES[1:-1]:
        passed = 0
        for rows, total in by_bin.values():
            passed += rows
            if passed >= quantile * num_rows:
                inside.append(total / rows)
                break
    return (float(cells[0]["least"]), *inside, float(max(cell["most"] for cell in cells)))
