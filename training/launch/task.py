"""What a barrier task does: meet the others, run its rank in a fresh process, report to the driver."""

from __future__ import annotations

import queue
import socket
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from training.failures import RankFailure, summarize
from training.launch import network
from training.launch.connection import Connection, Endpoint, connect
from training.launch.delivery import Window
from training.launch.environment import Rendezvous, count_threads, meeting_variables, start_environment
from training.launch.host_name import check_host_name
from training.launch.options import RankOptions
from training.launch.process import RankProcess
from training.launch.ranks import RankInfo, assign_ranks, shares_gpus


@dataclass(frozen=True)
class TaskSettings:
    """What every task of a job needs, shipped inside the Spark job.

    Attributes:
        payload: The pickled training function and its arguments.
        endpoint: The driver's end of the connection.
        options: How the ranks run.
    """

    payload: bytes
    endpoint: Endpoint
    options: RankOptions


def run_task(settings: TaskSettings) -> Iterator[tuple[int, bytes]]:
    """The body of a barrier task; yields (rank, pickled value) if the rank ended well, else nothing."""
    from pyspark import BarrierTaskContext

    context = BarrierTaskContext.get()
    partition = context.partitionId()
    places = assign_ranks([info.address for info in context.getTaskInfos()])
    info = places[partition]
    resources = context.resources()
    gpus = list(resources["gpu"].addresses) if "gpu" in resources else []
    connection = connect(settings.endpoint, info.rank)
    try:
        value = _run_rank(settings, places, info, gpus, connection)
    except Exception as error:  # noqa: BLE001 - the driver tells it
        summary = f"its task could not start it: {summarize(error)}"
        failure = RankFailure(info.rank, info.host, "exception", summary, traceback.format_exc())
        connection.send({"type": "failure", **failure.as_message()})
        value = None
    finally:
        connection.close()
    if value is not None:
        yield info.rank, value


def _run_rank(
    settings: TaskSettings, places: list[RankInfo], info: RankInfo, gpus: list[str], connection: Connection
) -> bytes | None:
    """The rank's pickled value; None if it failed or was told to stop."""
    options = settings.options
    address = _own_address(settings, info)
    environment = start_environment(
        info,
        threads=count_threads(options.threads_per_rank, info.local_size),
        stall_seconds=options.stall_seconds,
        gpus=gpus,
        given=options.environment,
    )
    window = Window()
    # It imports torch and Horovod while the tasks meet.
    process = RankProcess(
        environment,
        rank=info.rank,
        host=info.host,
        send=connection.send,
        window=window,
        stream_output=options.stream_output,
    )
    server = None
    outcome = None
    try:
        if info.rank == 0:
            # Only here: the other tasks need not pay for importing Horovod.
            from training.launch.rendezvous import RendezvousServer

            server = RendezvousServer(address, options.ports, f"{options.names.prefix}ports")
        orders = _Orders(connection, window)
        orders.hold(process)
        port = server.port if server else None
        connection.send({"type": "hello", "host": info.host, "address": address, "port": port, "gpus": gpus})
        ranks = orders.wait_for_meeting()
        if ranks is None:
            return None
        if server:
            server.start(places, {str(rank["address"]) for rank in ranks})
        variables = meeting_variables(
            Rendezvous(ranks[0]["address"], ranks[0]["port"], network.interface_of(address)),
            gpus=gpus,
            gpus_shared=shares_gpus([rank["host"] for rank in ranks], [rank["gpus"] for rank in ranks]),
            started=environment,
        )
        process.give(settings.payload, variables)
        outcome = process.wait()
        if outcome.failure:
            connection.send({"type": "failure", **outcome.failure.as_message()})
        elif outcome.value is not None:
            connection.send({"type": "done"})
        # The rendezvous stays open, and this task alive, until all ranks have left the ring.
        orders.ended.wait()
        return outcome.value
    finally:
        if outcome is None:
            process.stop()
            process.wait()
        if server:
            server.close()


class _Orders:
    """What the driver says, heard by a thread: how all ranks are found, and when it is over.

    The ranks meet over the driver's connection and not over `BarrierTaskContext.allGather`: that answers once
    a second at best, and a task that waits in it hears no order to stop.

    Attributes:
        ended: Set when all ranks are done, the driver says stop, or the driver is gone.
    """

    def __init__(self, connection: Connection, window: Window) -> None:
        self._window = window
        self.ended = threading.Event()
        self._meeting: queue.SimpleQueue[list[dict[str, Any]] | None] = queue.SimpleQueue()
        self._process: RankProcess | None = None
        self._stopped = False
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, args=(connection,), daemon=True).start()

    def wait_for_meeting(self) -> list[dict[str, Any]] | None:
        """What each rank said of itself, by rank; None if the order is to stop."""
        return self._meeting.get()

    def hold(self, process: RankProcess) -> None:
        """The process to end when the order comes, or at once if it has come."""
        with self._lock:
            self._process = process
            stopped = self._stopped
        if stopped:
            process.stop()

    def _listen(self, connection: Connection) -> None:
        released = False
        for message in connection.messages():
            if message.get("type") == "ack":
                self._window.give(int(message["size"]))
                continue
            if message.get("type") == "meeting":
                self._meeting.put(message["ranks"])
            released = message.get("type") == "release"
            if released or message.get("type") == "stop":
                break
        self._window.open()
        self._meeting.put(None)
        with self._lock:
            self._stopped = not released
            process = self._process
        if process is not None and not released:
            process.stop()
        self.ended.set()


def _own_address(settings: TaskSettings, info: RankInfo) -> str:
    """The address this rank's collectives use: loopback if all ranks share the host."""
    is_alone = info.local_size == info.world_size
    if settings.options.interface:
        address = network.address_of(settings.options.interface)
    elif is_alone:
        address = network.LOOPBACK
    else:
        address = socket.gethostbyname(info.host)
        if address.startswith("127."):
            # A host whose own name leads to loopback: ask which way leads to the driver instead.
            address = network.address_towards(settings.endpoint.host)
    if not is_alone:
        check_host_name(address)
    return address
