"""GPUs through Spark's resources, found by its own discovery script, which needs no card to report some."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.training.launch.clusters import ClusterDriver

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterDriver]:
    folder = tmp_path_factory.mktemp("gpus")
    script = folder / "discover.sh"
    script.write_text('#!/bin/sh\necho \'{"name": "gpu", "addresses": ["5", "7"]}\'\n')
    script.chmod(0o755)
    conf = {
        "spark.worker.resource.gpu.amount": "2",
        "spark.worker.resource.gpu.discoveryScript": str(script),
        "spark.executor.resource.gpu.amount": "2",
        "spark.task.resource.gpu.amount": "0.5",
    }
    driver = ClusterDriver(folder, "local-cluster[1,8,1024]", conf)
    yield driver
    driver.close()


def test_half_a_gpu_a_rank(driver: ClusterDriver) -> None:
    answer = driver.launch("place", 4)
    assert answer.error == ""
    assert sorted(value["gpus"] for value in answer.values) == ["5", "5", "7", "7"]
    assert [value["local_rank"] for value in answer.values] == [0, 1, 2, 3]
    # NCCL takes no two ranks on one GPU.
    assert {value["backend"] for value in answer.values} == {"gloo"}


def test_a_rank_alone_on_its_gpu_uses_nccl(driver: ClusterDriver) -> None:
    answer = driver.launch("place", 1)
    assert [(value["gpus"] in {"5", "7"}, value["backend"]) for value in answer.values] == [(True, "nccl")]


def test_gpus_limit_the_slots_where_cores_do_not(driver: ClusterDriver) -> None:
    answer = driver.launch("place", 5)
    assert answer.kind == "NotEnoughSlotsError"
    assert "train.num_ranks = 5, but local-cluster[1,8,1024] has 4 slots" in answer.error
