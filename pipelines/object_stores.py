"""Spark and the file systems of URLs: S3's client for a Spark of our own, and whether others have theirs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from pyspark.sql import SparkSession

from pipelines.errors import EnvironmentProblem
from pipelines.setup.errors import MissingJarsError
from pipelines.setup.s3_jars import locate
from ringlake.base.s3 import hadoop_settings, is_s3

_S3 = "ringlake setup --s3 where ringlake starts Spark, else --packages org.apache.hadoop:hadoop-aws:VERSION"

_REMEDIES = {
    "s3": f"{_S3} and spark.hadoop.fs.s3.impl=org.apache.hadoop.fs.s3a.S3AFileSystem",
    "s3a": _S3,
    "abfss": "--packages org.apache.hadoop:hadoop-azure:VERSION",
    "gs": "the connector of Google Cloud Storage for Hadoop 3, and "
    "spark.hadoop.fs.gs.impl=com.google.cloud.hadoop.fs.gcs.GoogleHadoopFileSystem",
}


_CLASS_PATH = "SPARK_DIST_CLASSPATH"
"""What Spark's launcher puts behind all of Spark's classes. In front of them the AWS SDK's logging library
would take the place of Spark's, and named as `spark.jars` its 650 MB are copied at each start."""


def settings_for(places: Iterable[str], master: str, given: Mapping[str, str]) -> dict[str, str]:
    """Settings of a Spark that ringlake starts, for the places that it reads and writes.

    Args:
        places: Paths and URLs.
        master: Spark's master.
        given: The user's own settings; what they say of jars stays.

    Raises:
        EnvironmentProblem: A place is on S3, and its client was never fetched.
    """
    if not any(map(is_s3, places)):
        return {}
    jars = [] if _is_local(master) else _jars(given)
    return hadoop_settings() | ({"spark.jars": ",".join(jars)} if jars else {})


@contextmanager
def class_path_for(places: Iterable[str], master: str, given: Mapping[str, str]) -> Iterator[None]:
    """Has a local Spark that starts in the context find the client of S3; arguments as in `settings_for`.

    Raises:
        EnvironmentProblem: A place is on S3, and its client was never fetched.
    """
    jars = _jars(given) if _is_local(master) and any(map(is_s3, places)) else []
    before = os.environ.get(_CLASS_PATH)
    if jars:
        os.environ[_CLASS_PATH] = os.pathsep.join([*([before] if before else []), *jars])
    try:
        yield
    finally:
        if jars and before is None:
            del os.environ[_CLASS_PATH]
        elif jars and before is not None:
            os.environ[_CLASS_PATH] = before


def require_file_systems(session: SparkSession, places: Iterable[str]) -> None:
    """EnvironmentProblem if the JVM has no class for the file system of a place."""
    jvm = session.sparkContext._jvm
    assert jvm is not None
    hadoop = session.sparkContext._jsc.hadoopConfiguration()
    for scheme in sorted({place.partition("://")[0].lower() for place in places if "://" in place}):
        try:
            jvm.org.apache.hadoop.fs.FileSystem.getFileSystemClass(scheme, hadoop)
        except Exception as error:
            remedy = _REMEDIES.get(scheme, "the file system's jar and its fs.SCHEME.impl")
            raise EnvironmentProblem(
                f"this Spark session has no file system for {scheme}://; start it with {remedy} "
                "(docs/object-stores.md)"
            ) from error


def _is_local(master: str) -> bool:
    return master.startswith("local") and not master.startswith("local-cluster")


def _jars(given: Mapping[str, str]) -> list[str]:
    if "spark.jars.packages" in given or "spark.jars" in given:
        return []
    try:
        return [str(path) for path in locate()]
    except MissingJarsError as error:
        raise EnvironmentProblem(str(error)) from error
