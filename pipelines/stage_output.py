"""What a stage is: a function from DataFrames to the DataFrames of its output tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Say = Callable[[str], None]
"""Prints one line of progress for a person."""

STATISTICS_OF = "spark.databricks.delta.properties.defaults.dataSkippingStatsColumns"
"""Write setting: columns whose range in each file is kept in the log of a new table, beside the file's rows.

For long or random values this costs as much as writing them. A table that exists keeps what it was given.
"""


def keep_on_disk(*frames: DataFrame) -> None:
    """Persists frames on disk, so that what several writes or searches need is computed once."""
    # Here and not above: this module is also loaded where Spark is not.
    from pyspark import StorageLevel

    for frame in frames:
        if not frame.is_cached:
            frame.persist(StorageLevel.DISK_ONLY)


def release(*frames: DataFrame) -> None:
    """Unpersists frames. Where that fails the JVM is gone, and what is to be told is why the stage failed."""
    for frame in frames:
        with contextlib.suppress(Exception):
            frame.unpersist()


@dataclass(frozen=True)
class StageOutput:
    """The lazily computed result of a stage; `pipelines.run` writes it and keeps the accounts.

    Attributes:
        tables: DataFrame of each output table, with the columns of its schema.
        shared: DataFrames that several of them derive from; they are persisted on disk during the
            writes, so that the work is done once and all tables see the same rows.
        details: What the stage measured besides rows (JSON values), stored with its run.
    """

    tables: dict[str, DataFrame]
    shared: tuple[DataFrame, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
