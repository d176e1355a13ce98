"""The Spark session of a run: the active one where there is one, else a new one with Delta's jars."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from conf.spark import SparkConfig
from pipelines import sizing
from pipelines.errors import EnvironmentProblem
from pipelines.granted import granted
from pipelines.interrupt import end_jobs_on_interrupt
from pipelines.lake.allowed import check_session
from pipelines.object_stores import class_path_for, require_file_systems, settings_for
from pipelines.run.shortage import DISK_FULL, SparkFacts
from pipelines.run.version import PACKAGES
from pipelines.setup import classes
from pipelines.setup.jars import MissingJarsError, locate
from pipelines.spark_settings import SETTINGS
from pipelines.worker import MEMORY_VARIABLE
from ringlake.base.extensions import Extension
from ringlake.names import foreign
from training.launch.pythons import find_unfit_python
from training.launch.slots import count_slots

DELTA_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}

LOCAL_SETTINGS = {
    # Nothing outside this machine has business with a local run.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
}

JVM_OPTIONS = (
    # Compression and Arrow hold the heap still for moments. On JDK 17 and 21 a thread that then finds no room
    # gives up after two tries, as if memory were out; from 22 on neither the limit nor the option exists.
    "-XX:+IgnoreUnrecognizedVMOptions -XX:+UnlockDiagnosticVMOptions -XX:GCLockerRetryAllocationCount=100 "
    # Buffers of columns and of sorts are as large as several of the default's regions of 1 MiB, and each
    # wants free regions side by side.
    "-XX:G1HeapRegionSize=8m"
)
_MODULES = ("numpy", "pyarrow")
"""What every data stage imports in Spark's tasks besides ringlake."""

LOG_SETTINGS = Path(str(resources.files("conf"))) / "clusters" / "log4j2.properties"


def open_session(
    config: SparkConfig, name: str, log: Path | None = None, places: Sequence[str] = ()
) -> SparkSession:
    """The session to run in.

    Args:
        config: Where it runs.
        name: Shown in the Spark UI.
        log: File for the log of a local Spark; None leaves Spark's own logging as it is.
        places: Paths and URLs that Spark is to read or write.

    Raises:
        EnvironmentProblem: Delta's jars or those of a place's file system are missing, Java cannot start, or
            tasks would run another Python.
    """
    active = SparkSession.getActiveSession()
    if active is not None:
        check_session(active)
        _require_delta(active)
        require_file_systems(active, places)
        _require_python(active)
        return active
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(f"ringlake {name}")
    values = settings(config, places)
    if log is not None and config.master.startswith("local"):
        # A JVM without memory answers no more, or wrongly; one that has ended is told from its end.
        ends = "-XX:+ExitOnOutOfMemoryError -XX:+DisplayVMOutputToStderr"
        java = f"{ends} -Dlog4j2.configurationFile={LOG_SETTINGS.as_uri()} -Dringlake.log={log}"
        own = values.get("spark.driver.extraJavaOptions", "")
        values["spark.driver.extraJavaOptions"] = f"{java} {own}".strip()
    for key, value in values.items():
        builder = builder.config(key, value)
    try:
        with class_path_for(places, config.master, config.conf):
            session = builder.getOrCreate()
    except EnvironmentProblem:
        raise
    except Exception as error:
        raise EnvironmentProblem(_not_started(config, values, error)) from error
    check_session(session)
    _require_delta(session)
    require_file_systems(session, places)
    end_jobs_on_interrupt(session)
    _expect_lost_jvm(session)
    fit_shuffles(session, config, 0)
    if not _starts_this_python(session):
        _require_python(session)
    return session


def settings(config: SparkConfig, places: Sequence[str] = ()) -> dict[str, str]:
    """The Spark settings that a configuration amounts to, the user's own last; see `open_session`."""
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    result = dict(SETTINGS) | DELTA_SETTINGS
    if not submitted:
        result["spark.master"] = config.master
        result["spark.driver.memory"] = f"{sizing.driver_heap(config) // sizing.MIB}m"
        for process in ("driver", "executor"):
            key = f"spark.{process}.extraJavaOptions"
            shared = classes.options() if process == "driver" else ""
            result[key] = " ".join(filter(None, (JVM_OPTIONS, shared, config.conf.get(key))))
    if config.master.startswith("local") and not submitted:
        result |= LOCAL_SETTINGS
        if foreign():
            # Python workers start in this folder, and would take its packages for ours.
            result["spark.executorEnv.PYTHONSAFEPATH"] = "1"
        # Small tables too are read by several tasks a core: their ends differ less, and progress shows.
        result["spark.sql.files.minPartitionNum"] = str(4 * sizing.local_cores(config.master))
    if config.shuffle_partitions != "auto":
        result["spark.sql.shuffle.partitions"] = str(config.shuffle_partitions)
    slots = sizing.local_cores(config.master) if config.master.startswith("local") else 1
    if (limit := sizing.worker_memory(config, slots)) is not None:
        result[f"spark.executorEnv.{MEMORY_VARIABLE}"] = str(limit)
    if not submitted and "spark.jars.packages" not in config.conf and "spark.jars" not in config.conf:
        try:
            result["spark.jars"] = ",".join(str(path) for path in locate())
        except MissingJarsError as error:
            raise EnvironmentProblem(str(error)) from error
    if not submitted:
        for key, value in settings_for(places, config.master, config.conf).items():
            both = key == "spark.jars" and key in result
            result[key] = f"{result[key]},{value}" if both else value
    own = {key: value for key, value in config.conf.items() if not key.endswith(".extraJavaOptions")}
    return (config.conf | result) | own


def facts_of(session: SparkSession, log: Path | None) -> SparkFacts:
    """What to tell of the session's processes should one of them run out of something."""
    conf = session.sparkContext.getConf()
    master = str(conf.get("spark.master", ""))
    return SparkFacts(
        master=master,
        driver_memory=str(conf.get("spark.driver.memory", "1g")),
        executor_memory=str(conf.get("spark.executor.memory", "1g")),
        worker_bytes=int(conf.get(f"spark.executorEnv.{MEMORY_VARIABLE}", "0") or 0),
        local_dir=str(conf.get("spark.local.dir", "")),
        log=str(log) if log is not None and master.startswith("local") else "",
    )


def jvm_status(session: SparkSession, seconds: float = 5.0) -> int | None:
    """Exit status of the driver's JVM, None while it lives; one that no longer answers gets time to end.

    It is asked of its process; a JVM that spark-submit started is the parent of this process and lives.

    Args:
        session: The session whose JVM it is.
        seconds: How long to wait for the end of one that does not answer.
    """
    gateway = session.sparkContext._gateway
    process: subprocess.Popen[bytes] | None = getattr(gateway, "proc", None)
    if gateway is None or process is None or process.poll() is not None:
        return None if process is None else process.poll()
    try:
        gateway.jvm.java.lang.System.nanoTime()
    except Exception:  # noqa: BLE001 - whatever py4j raises, the JVM did not answer
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    return process.poll()


def _expect_lost_jvm(session: SparkSession) -> None:
    """Shows no traceback when a JVM that dies ends the connection of the accumulators: its stage tells it."""
    server: Any = session.sparkContext._accumulatorServer
    tell = server.handle_error

    def handle_error(request: Any, address: Any) -> None:
        if not isinstance(sys.exception(), EOFError | ConnectionError):
            tell(request, address)

    server.handle_error = handle_error


def fit_shuffles(session: SparkSession, config: SparkConfig, text_bytes: int) -> None:
    """Sets into how many partitions the shuffles that follow go, by the bytes that a stage reads.

    A number that the run file or spark-submit names stays. Spark's own is 200 for any size.

    Args:
        session: The session of the run.
        config: The section `spark`.
        text_bytes: Bytes of text that the stage reads, about.
    """
    context = session.sparkContext
    if config.shuffle_partitions != "auto" or context.getConf().contains("spark.sql.shuffle.partitions"):
        return
    found = granted(session)
    target = sizing.partition_bytes(found.heap, found.slots_of_one)
    number = sizing.shuffle_partitions(text_bytes, found.slots, target)
    session.conf.set("spark.sql.shuffle.partitions", str(number))


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


def _starts_this_python(session: SparkSession) -> bool:
    """Whether the tasks run on this machine, in this very Python."""
    context = session.sparkContext
    master = str(context.master)
    is_local = master.startswith("local") and not master.startswith("local-cluster")
    return is_local and context.pythonExec == sys.executable


def check_extensions(session: SparkSession, extensions: Sequence[Extension]) -> None:
    """Looks once a session whether the tasks have the distributions of extensions in the driver's versions.

    Raises:
        EnvironmentProblem: They lack one, or have another version of it.
    """
    names = sorted({extension.distribution for extension in extensions})
    _require_python(session, own=(), modules=(), distributions=names)


def _require_python(
    session: SparkSession,
    own: Sequence[str] = PACKAGES,
    modules: Sequence[str] = _MODULES,
    distributions: Sequence[str] = (),
) -> None:
    """The functions of the data stages travel by name: the tasks need this ringlake, too."""
    num_tasks = max(1, count_slots(session))
    try:
        complaint = find_unfit_python(
            session, num_tasks, own=own, modules=modules, distributions=distributions
        )
    except Exception as error:
        raise EnvironmentProblem(f"Spark cannot run tasks of Python: {_first_line(error)}") from error
    if complaint is not None:
        raise EnvironmentProblem(complaint)


def _not_started(config: SparkConfig, values: Mapping[str, str], error: BaseException) -> str:
    """Why Spark did not start, and what helps."""
    cause = _first_line(error)
    if DISK_FULL.search(cause):
        # It copies Delta's jars there, some megabytes.
        place = values.get("spark.local.dir") or tempfile.gettempdir()
        return (
            f"Spark could not start on {config.master!r}: a disk is full ({cause}); make room in {place}, or "
            "put Spark's files (spark.conf.spark.local.dir) and temporary ones (TMPDIR) elsewhere"
        )
    return (
        f"Spark could not start on {config.master!r}: {cause}; "
        "check JAVA_HOME (Java 17 or 21) and spark.master, or run with --traceback"
    )


def _first_line(error: BaseException) -> str:
    """What went wrong: of an error of the JVM not which call it was, but what that raised."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("An error occurred while calling"):
        return lines[1].removeprefix(": ")
    return lines[0] if lines else type(error).__name__
