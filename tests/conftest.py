"""Fixtures that several areas share: one Spark session for all tests, and paths of optional material."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.model import SparkConfig
from pipelines.session import open_session

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A real local Spark with Delta, two task slots, set up as the product sets it up."""
    session = open_session(SparkConfig(master="local[2]", driver_memory="2g", shuffle_partitions=4), "tests")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real corpora beside the checkout; tests that need it are skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the optional corpora are not beside this checkout")
    return folder
