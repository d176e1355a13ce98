"""Ranks of a host are neighbours, whatever order Spark dealt the partitions in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.launch.environment import Rendezvous, count_threads, meeting_variables, start_environment
from training.launch.ranks import RankInfo, assign_ranks, current_backend, current_rank, shares_gpus


def test_alternating_executors_are_grouped_by_host() -> None:
    places = assign_ranks(["a:1", "b:1", "a:2", "b:1", "c:9"])
    assert [(p.rank, p.host, p.local_rank, p.local_size) for p in places] == [
        (0, "a", 0, 2),
        (2, "b", 0, 2),
        (1, "a", 1, 2),
        (3, "b", 1, 2),
        (4, "c", 0, 1),
    ]
    assert [(p.cross_rank, p.cross_size) for p in places] == [(0, 3), (1, 3), (0, 2), (1, 2), (2, 3)]


def test_an_ipv6_host_keeps_its_colons() -> None:
    assert assign_ranks(["[::1]:4", "[::1]:5"])[1].local_rank == 1


@given(hosts=st.lists(st.sampled_from("abcd"), min_size=1, max_size=12))
def test_laws(hosts: list[str]) -> None:
    places = assign_ranks([f"{host}:{7000 + index}" for index, host in enumerate(hosts)])
    assert places[0].rank == 0
    assert sorted(place.rank for place in places) == list(range(len(hosts)))
    by_rank = sorted(places, key=lambda place: place.rank)
    seen: list[str] = []
    for place in by_rank:
        if not seen or seen[-1] != place.host:
            assert place.host not in seen
            seen.append(place.host)
            assert place.local_rank == 0
        assert place.local_size == hosts.count(place.host)
    for place in places:
        same = [other for other in places if other.local_rank == place.local_rank]
        assert place.cross_size == len(same)
        assert sorted(other.cross_rank for other in same) == list(range(len(same)))


def test_a_process_knows_its_place_from_the_environment_it_is_given() -> None:
    place = RankInfo(3, 4, 1, 2, 1, 2, "node-7")
    environment = start_environment(
        place,
        threads=3,
        stall_seconds=60,
        gpus=["2", "5"],
        base={"HOROVOD_TIMELINE": "left over from another job", "LANG": "C"},
    ) | meeting_variables(Rendezvous("10.0.0.1", 1234, "eth0"), gpus=["2", "5"])
    assert current_rank(environment) == place
    assert "HOROVOD_TIMELINE" not in environment
    assert environment["LANG"] == "C"
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment["CUDA_VISIBLE_DEVICES"] == "2,5"
    assert environment["HOROVOD_GLOO_IFACE"] == "eth0"
    assert environment["NCCL_SOCKET_IFNAME"] == "=eth0"
    assert environment["HOROVOD_STALL_SHUTDOWN_TIME_SECONDS"] == "60"
    assert int(environment["HOROVOD_STALL_CHECK_TIME_SECONDS"]) < 60


@pytest.mark.parametrize(
    ("gpus", "shared", "backend"), [((), False, "gloo"), (("2",), False, "nccl"), (("2",), True, "gloo")]
)
def test_nccl_is_for_ranks_with_gpus_of_their_own(gpus: tuple[str, ...], shared: bool, backend: str) -> None:
    environment = start_environment(
        RankInfo(0, 2, 0, 2, 0, 1, "a"),
        threads=1,
        stall_seconds=60,
        gpus=gpus,
        base={"CUDA_VISIBLE_DEVICES": "0,1"},
    ) | meeting_variables(Rendezvous("127.0.0.1", 1, "lo"), gpus=gpus, gpus_shared=shared)
    assert current_backend(environment) == backend
    assert environment["CUDA_VISIBLE_DEVICES"] == (",".join(gpus) or "0,1")


def test_a_gpu_is_shared_by_ranks_of_one_host_only() -> None:
    assert shares_gpus(["a", "a"], [["0"], ["0"]])
    assert not shares_gpus(["a", "b"], [["0"], ["0"]])
    assert not shares_gpus(["a", "a"], [["0", "1"], ["2"]])
    assert not shares_gpus(["a", "a"], [[], []])


def test_without_a_launcher_there_is_one_rank() -> None:
    assert current_rank({}).world_size == 1


def test_threads_are_an_equal_share_or_as_asked() -> None:
    assert count_threads(5, local_size=2) == 5
    assert count_threads("auto", local_size=10_000) == 1
