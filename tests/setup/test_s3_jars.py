"""Spark's client of S3 follows Spark's own Hadoop, and where it lacks, the remedy is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.spark import SparkConfig
from pipelines.errors import EnvironmentProblem
from pipelines.session import settings
from pipelines.setup import cache, jars, s3_jars
from pipelines.setup.errors import MissingJarsError, SetupError
from pipelines.setup.target import Target, running_target
from tests.setup.conftest import Lines


def environment(folder: Path, *jar_names: str) -> Target:
    """An environment with a Spark that has nothing but jars of these names."""
    (folder / "pyspark-4.1.1.dist-info").mkdir(parents=True)
    (folder / "pyspark-4.1.1.dist-info" / "METADATA").write_text("Name: pyspark\nVersion: 4.1.1\n")
    (folder / "pyspark" / "jars").mkdir(parents=True)
    for name in jar_names:
        (folder / "pyspark" / "jars" / name).touch()
    return Target(folder / "bin" / "python", folder, (str(folder),))


def test_the_client_is_that_of_sparks_hadoop(tmp_path: Path) -> None:
    target = environment(tmp_path / "one", "hadoop-client-api-3.4.2.jar", "hadoop-client-runtime-3.4.2.jar")
    assert s3_jars.coordinate(target) == "org.apache.hadoop:hadoop-aws:3.4.2"
    other = environment(tmp_path / "two", "hadoop-client-api-3.3.6.jar")
    assert s3_jars.entry(other) != s3_jars.entry(target)
    with pytest.raises(SetupError, match="has no hadoop-client-api"):
        s3_jars.coordinate(environment(tmp_path / "three"))


def test_what_was_fetched_is_found_and_what_was_not_is_told(tmp_path: Path, progress: Lines) -> None:
    target = environment(tmp_path / "env", "hadoop-client-api-3.4.2.jar")
    with pytest.raises(MissingJarsError, match=r"hadoop-aws:3\.4\.2.*setup --s3"):
        s3_jars.locate(target, [tmp_path / "cache"])

    def build(out: Path) -> None:
        (out / "aws.jar").write_bytes(b"PK" + bytes(98))

    made = cache.obtain([tmp_path / "cache"], jars.KIND, s3_jars.entry(target), build, progress)
    assert s3_jars.locate(target, [tmp_path / "cache"]) == [made.path / "aws.jar"]


def test_a_session_for_s3_asks_for_the_client_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://store:9000")
    found = cache.cache_roots(running_target().prefix)[0]
    assert "spark.hadoop.fs.s3.impl" not in settings(SparkConfig(), ["/lake", "hdfs://host/lake"])
    own = {"spark.jars": "mine.jar", "spark.hadoop.fs.s3a.endpoint": "http://mine"}
    given = settings(SparkConfig(conf=own), ["s3://bucket/lake"])
    assert given["spark.jars"] == "mine.jar"
    assert given["spark.hadoop.fs.s3a.endpoint"] == "http://mine"
    assert given["spark.hadoop.fs.s3.impl"].endswith("S3AFileSystem")
    if cache.find([found], jars.KIND, s3_jars.entry(running_target())) is None:
        with pytest.raises(EnvironmentProblem, match="setup --s3"):
            settings(SparkConfig(master="spark://host:7077"), ["s3://bucket/lake"])
    else:
        many = settings(SparkConfig(master="spark://host:7077"), ["s3://bucket/lake"])["spark.jars"]
        assert "hadoop-aws" in many
        assert "delta" in many
