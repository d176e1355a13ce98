"""Fixtures that several areas share: one Spark session, one small job, paths of optional material."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from pyspark.sql import SparkSession

from conf.spark import SparkConfig
from pipelines.session import open_session
from tests.support.cli import ringlake, write_run
from tests.support.corpus import write_corpus

# These machines are shared: how long one example takes says nothing of the code.
settings.register_profile("ringlake", deadline=None)
settings.load_profile("ringlake")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A real local Spark with Delta, two task slots, set up as the product sets it up."""
    session = open_session(SparkConfig(master="local[2]", driver_memory="2g"), "tests")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real corpora beside the checkout; tests that need it are skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the optional corpora are not beside this checkout")
    return folder


@dataclass(frozen=True)
class SmallJob:
    """A whole job that ran through the command line in a process of its own.

    Attributes:
        lake: Its lake; tests only read it.
        run_file: Its run file.
        corpus: The JSONL file that went in.
        planted: Ids planted in the corpus by kind, see `write_corpus`.
        stderr: What the command showed.
    """

    lake: Path
    run_file: Path
    corpus: Path
    planted: dict[str, list[str]]
    stderr: str


@pytest.fixture(scope="session")
def small_job(tmp_path_factory: pytest.TempPathFactory) -> SmallJob:
    """All stages on a small real corpus with a tiny model, two ranks, undisturbed."""
    folder = tmp_path_factory.mktemp("small")
    corpus = folder / "corpus.jsonl"
    planted = write_corpus(corpus, 400)
    run_file = write_run(folder / "run.yaml", corpus)
    done = ringlake("run", run_file, "--set", f"lake={folder / 'lake'}")
    return SmallJob(folder / "lake", run_file, corpus, planted, done.stderr)


@pytest.fixture(scope="session")
def small_lake(small_job: SmallJob) -> Path:
    """The lake of the small job."""
    return small_job.lake
