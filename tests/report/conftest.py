"""The lakes of these tests and their reports, built once."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from pipelines.lake import Lake
from pipelines.report.build import build_report
from tests.report import lakes
from tests.report.page import Page


@pytest.fixture(scope="session")
def whole_lake(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Lake:
    """A lake on which every stage has run, and its report."""
    lake = lakes.trained(tmp_path_factory.mktemp("report") / "lake")
    build_report(spark, lake, lakes.CONFIG, run_file="my run.yaml", overrides=("lake=the lake",))
    return lake


@pytest.fixture(scope="session")
def source(whole_lake: Lake) -> str:
    return whole_lake.report.read_text()


@pytest.fixture(scope="session")
def page(source: str) -> Page:
    return Page(source)
