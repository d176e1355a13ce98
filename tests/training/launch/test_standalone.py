"""A machine that goes away for good: the next attempt takes the ranks that still have slots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.training.launch.clusters import ClusterDriver, Standalone

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.rare]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    cluster = Standalone(tmp_path_factory.mktemp("standalone"), 2)
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def driver(cluster: Standalone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterDriver]:
    driver = ClusterDriver(tmp_path_factory.mktemp("driver"), cluster.master)
    yield driver
    driver.close()


def test_elastic_goes_on_with_the_ranks_that_have_slots_and_not_below_min(
    cluster: Standalone, driver: ClusterDriver, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    driver.begin("sleep_until", 2, str(gate), max_restarts=1, elastic=[1, 2])
    driver.wait_for_line("up", 2)
    gate.touch()
    cluster.kill_worker(1)
    answer = driver.end()
    assert (answer.error, answer.values) == ("", [1])
    assert any(line.startswith("attempt 1 (2 ranks): rank ") for line in answer.lines)

    answer = driver.launch("place", 2, elastic=[2, 2])
    assert answer.kind == "NotEnoughSlotsError"
    assert "there is 1 slot left, but train.elastic needs at least 2 (its min is 2" in answer.error
