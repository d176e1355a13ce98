"""What a barrier task does: meet the others, run its rank in a fresh process, report to the driver."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from training.launch import network
from training.launch.channel import Connection, Endpoint, connect
from training.launch.environment import Rendezvous, count_threads, rank_environment
from training.launch.process import RankProcess
from training.launch.ranks import RankInfo, assign_ranks


@dataclass(frozen=True)
class TaskSettings:
    """What every task of a job needs, shipped inside the Spark job.

    Attributes:
        payload: The pickled training function and its arguments.
        endpoint: The driver's end of the line.
        threads_per_rank: CPU threads of a rank, or 'auto'.
        stall_seconds: Longest wait of a collective.
        interface: Network interface to use instead of the one that is found; None to find it.
    """

    payload: bytes
    endpoint: Endpoint
    threads_per_rank: int | Literal["auto"]
    stall_seconds: int
    interface: str | None


def run_task(settings: TaskSettings) -> Iterator[tuple[int, bytes]]:
    """The body of a barrier task; yields (rank, pickled value) if the rank ended well, else nothing."""
    from pyspark import BarrierTaskContext

    context = BarrierTaskContext.get()
    partition = context.partitionId()
    places = assign_ranks([info.address for info in context.getTaskInfos()])
    info = places[partition]
    line = connect(settings.endpoint, info.rank)
    try:
        yield from _run_rank(settings, context, places, info, line)
    finally:
        line.close()


def _run_rank(
    settings: TaskSettings, context: Any, places: list[RankInfo], info: RankInfo, line: Connection
) -> Iterator[tuple[int, bytes]]:
    address = _own_address(settings, info)
    server = None
    if info.rank == 0:
        # Only here: the other tasks need not pay for importing Horovod.
        from training.launch.rendezvous import RendezvousServer

        server = RendezvousServer(address)
    try:
        mine = {"address": address, "port": server.port if server else None}
        meeting = [json.loads(text) for text in context.allGather(json.dumps(mine))]
        if server:
            server.start(places, {str(entry["address"]) for entry in meeting})
        first = next(entry for entry, place in zip(meeting, places, strict=True) if place.rank == 0)
        rendezvous = Rendezvous(first["address"], first["port"], network.interface_of(address))
        gpus = context.resources().get("gpu")
        environment = rank_environment(
            info,
            rendezvous,
            threads=count_threads(settings.threads_per_rank, info.local_size),
            stall_seconds=settings.stall_seconds,
            gpus=gpus.addresses if gpus else (),
        )
        process = RankProcess(settings.payload, environment, rank=info.rank, host=info.host, send=line.send)
        line.send({"type": "started", "host": info.host, "pid": process.pid})
        released = threading.Event()
        threading.Thread(target=_obey, args=(line, process, released), daemon=True).start()
        outcome = process.wait()
        if outcome.failure:
            line.send({"type": "failure", **outcome.failure.as_message()})
        elif outcome.value is not None:
            line.send({"type": "done"})
        # The rendezvous stays open, and this task alive, until all ranks have left the ring.
        released.wait()
        if outcome.value is not None:
            yield info.rank, outcome.value
    finally:
        if server:
            server.close()


def _obey(line: Connection, process: RankProcess, released: threading.Event) -> None:
    """End the rank when the driver says so or is gone; note when all ranks are done."""
    for message in line.messages():
        if message.get("type") == "release":
            break
        if message.get("type") == "stop":
            process.stop()
            break
    else:
        process.stop()
    released.set()


def _own_address(settings: TaskSettings, info: RankInfo) -> str:
    """The address this rank's collectives use: loopback if all ranks share the host."""
    if settings.interface:
        return network.address_of(settings.interface)
    if info.local_size == info.world_size:
        return network.LOOPBACK
    address = socket.gethostbyname(info.host)
    if address.startswith("127."):
        # A host whose own name leads to loopback: ask which way leads to the driver instead.
        address = network.address_towards(settings.endpoint.host)
    return address
