"""The Spark session through which tables with names are reached."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_ASKING_SETTINGS = {
    # The same questions go to DataFusion, where tables lie in a folder.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.session.timeZone": "UTC",
}

LOCK = threading.RLock()
"""Held while views of a question are made and it is read: their names are the session's."""

_ASKING: list[SparkSession] = []


def session() -> SparkSession:
    """The session of this process, started where there is none."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    from conf.spark import SparkConfig
    from pipelines.session import open_session

    with LOCK:
        found = SparkSession.getActiveSession()
        if found is None and SparkContext._active_spark_context is not None:
            # Another thread's: what is active is a matter of threads.
            found = SparkSession.builder.getOrCreate()
        return found if found is not None else open_session(SparkConfig(), "lake")


def asking() -> SparkSession:
    """A session beside it, with settings and views of its own, for what is asked in SQL."""
    base = session()
    with LOCK:
        if not _ASKING or _ASKING[0].sparkContext is not base.sparkContext:
            own = base.newSession()
            for key, value in _ASKING_SETTINGS.items():
                own.conf.set(key, value)
            _ASKING[:] = [own]
        own = _ASKING[0]
        own.conf.set("spark.sql.shuffle.partitions", base.conf.get("spark.sql.shuffle.partitions") or "200")
        return own


def at_version(spark: SparkSession, full: str, version: int) -> DataFrame:
    """A table, whose name is as SQL has it, at a version."""
    return spark.sql(f"SELECT * FROM {full} VERSION AS OF {int(version)}")  # noqa: S608 - names are quoted


def stored_bytes(frame: DataFrame) -> int:
    """Bytes of the files of a table at the version that a frame has all rows of, as Delta's log has them."""
    plan = frame._jdf.queryExecution().optimizedPlan()
    return int(plan.stats().sizeInBytes())
