"""The Spark session of a run: the active one where there is one, else a new one with Delta's jars."""

from __future__ import annotations

import os
import sys
from importlib import resources
from pathlib import Path

from pyspark.sql import SparkSession

from conf.model import SparkConfig
from pipelines.errors import EnvironmentProblem
from pipelines.interrupt import end_jobs_on_interrupt
from pipelines.setup.jars import MissingJarsError, locate

DELTA_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Bounds the memory of a Python worker: a batch of long documents is cut by bytes, not only by rows.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "2000",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(32 * 2**20),
    # Delta keeps the state of a log in this many partitions; 50, its default, costs seconds a commit.
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.ui.showConsoleProgress": "false",
}

LOCAL_SETTINGS = {
    # Nothing outside this machine has business with a local run.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
}

LOG_SETTINGS = Path(str(resources.files("conf"))) / "clusters" / "log4j2.properties"


def open_session(config: SparkConfig, name: str, log: Path | None = None) -> SparkSession:
    """The session to run in.

    Args:
        config: Where it runs.
        name: Shown in the Spark UI.
        log: File for the log of a local Spark; None leaves Spark's own logging as it is.

    Raises:
        EnvironmentProblem: Delta's jars are missing, or Java cannot start.
    """
    active = SparkSession.getActiveSession()
    if active is not None:
        _require_delta(active)
        return active
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(f"ringlake {name}")
    values = settings(config)
    if log is not None and config.master.startswith("local"):
        java = f"-Dlog4j2.configurationFile={LOG_SETTINGS.as_uri()} -Dringlake.log={log}"
        own = values.get("spark.driver.extraJavaOptions", "")
        values["spark.driver.extraJavaOptions"] = f"{java} {own}".strip()
    for key, value in values.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise EnvironmentProblem(
            f"Spark could not start on {config.master!r}: {_first_line(error)}; "
            "check JAVA_HOME (Java 17 or 21) and spark.master, or run with --traceback"
        ) from error
    _require_delta(session)
    end_jobs_on_interrupt(session)
    return session


def settings(config: SparkConfig) -> dict[str, str]:
    """The Spark settings that a configuration amounts to, the user's own last."""
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    result = dict(SETTINGS) | DELTA_SETTINGS
    if not submitted:
        result["spark.master"] = config.master
        result["spark.driver.memory"] = config.driver_memory
    if config.master.startswith("local") and not submitted:
        result |= LOCAL_SETTINGS
        # Small tables too are read by several tasks a core: their ends differ less, and progress shows.
        result["spark.sql.files.minPartitionNum"] = str(4 * local_cores(config.master))
    # What spark-submit was given counts, unless the run file names a number.
    if not submitted or config.shuffle_partitions != "auto":
        result["spark.sql.shuffle.partitions"] = str(shuffle_partitions(config))
    if not submitted and "spark.jars.packages" not in config.conf and "spark.jars" not in config.conf:
        try:
            result["spark.jars"] = ",".join(str(path) for path in locate())
        except MissingJarsError as error:
            raise EnvironmentProblem(str(error)) from error
    return result | config.conf


def shuffle_partitions(config: SparkConfig) -> int:
    """Partitions after a shuffle: as configured, or two a core of a local master, else Spark's 200."""
    if config.shuffle_partitions != "auto":
        return config.shuffle_partitions
    if not config.master.startswith("local"):
        return 200
    return max(4, 2 * local_cores(config.master))


def local_cores(master: str) -> int:
    """Task slots of a local master: local, local[N], local[*], local[N,F], local-cluster[W,C,M]."""
    inside = master[master.index("[") + 1 : master.rindex("]")].split(",") if "[" in master else ["1"]
    if master.startswith("local-cluster"):
        return int(inside[0]) * int(inside[1])
    return (os.cpu_count() or 1) if inside[0].strip() == "*" else int(inside[0])


def _require_delta(session: SparkSession) -> None:
    jvm = session.sparkContext._jvm
    assert jvm is not None
    try:
        loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
        loader.loadClass("io.delta.sql.DeltaSparkSessionExtension")
    except Exception as error:
        raise EnvironmentProblem(
            "this Spark session has no Delta Lake: start it with the jars of delta-spark 4.3 "
            "(--packages io.delta:delta-spark_4.1_2.13:4.3.1 or `make setup`) and its SQL extension"
        ) from error


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
