"""Which rank each barrier task becomes: ranks of one host are neighbours. Pure logic on addresses."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BACKEND_VARIABLE = "RINGLAKE_BACKEND"
"""Set by the launcher: 'nccl' or 'gloo'."""


@dataclass(frozen=True)
class RankInfo:
    """Where a rank stands, in Horovod's terms.

    Attributes:
        rank: Number among all ranks, from 0.
        world_size: Number of ranks.
        local_rank: Number among the ranks of its host.
        local_size: Ranks on its host.
        cross_rank: Number among the ranks with the same local_rank, one a host.
        cross_size: Number of those.
        host: Name or address of its host, as Spark knows it.
    """

    rank: int
    world_size: int
    local_rank: int
    local_size: int
    cross_rank: int
    cross_size: int
    host: str


def shares_gpus(hosts: Sequence[str], gpus: Sequence[Sequence[str]]) -> bool:
    """Whether two ranks have the same GPU.

    Args:
        hosts: Host of each rank.
        gpus: Ids of the GPUs of each rank, as its host numbers them.
    """
    held = [(host, gpu) for host, ids in zip(hosts, gpus, strict=True) for gpu in ids]
    return len(set(held)) < len(held)


def current_backend(environment: Mapping[str, str] | None = None) -> str:
    """What tensors are to be reduced over: 'nccl' where each rank has GPUs of its own, otherwise 'gloo'.

    NCCL refuses two ranks on one GPU; ranks that share one reduce tensors on the CPU.

    Args:
        environment: Variables to read instead of the process's own.
    """
    return (os.environ if environment is None else environment).get(BACKEND_VARIABLE, "gloo")


def assign_ranks(addresses: Sequence[str]) -> list[RankInfo]:
    """The rank of each partition, from the `host:port` addresses of all barrier tasks.

    Spark deals partitions out to executors in turn, so neighbouring partitions lie on different hosts;
    Horovod wants the ranks of a host to be contiguous. Partition 0 always becomes rank 0.

    Args:
        addresses: Address of the executor of each partition, in order of partition.

    Returns:
        For each partition its place.
    """
    hosts = [address.rsplit(":", 1)[0] for address in addresses]
    members: dict[str, list[int]] = {}
    for partition, host in enumerate(hosts):
        members.setdefault(host, []).append(partition)
    order = [partition for group in members.values() for partition in group]
    places: dict[int, RankInfo] = {}
    for rank, partition in enumerate(order):
        host = hosts[partition]
        local_rank = members[host].index(partition)
        peers = [name for name, group in members.items() if len(group) > local_rank]
        places[partition] = RankInfo(
            rank=rank,
            world_size=len(addresses),
            local_rank=local_rank,
            local_size=len(members[host]),
            cross_rank=peers.index(host),
            cross_size=len(peers),
            host=host,
        )
    return [places[partition] for partition in range(len(addresses))]


def current_rank(environment: Mapping[str, str] | None = None) -> RankInfo:
    """The place of this process; a process that no launcher started is the only rank.

    Args:
        environment: Variables to read instead of the process's own.
    """
    given = os.environ if environment is None else environment

    def number(name: str, default: int) -> int:
        return int(given.get(f"HOROVOD_{name}", default))

    return RankInfo(
        rank=number("RANK", 0),
        world_size=number("SIZE", 1),
        local_rank=number("LOCAL_RANK", 0),
        local_size=number("LOCAL_SIZE", 1),
        cross_rank=number("CROSS_RANK", 0),
        cross_size=number("CROSS_SIZE", 1),
        host=given.get("HOROVOD_HOSTNAME", "localhost"),
    )
