"""One attempt at a launch without Spark: the ranks as processes of the driver's own machine."""

from __future__ import annotations

import socket
import threading
from functools import partial

from training.errors import TrainingError
from training.launch import network
from training.launch.connection import Message
from training.launch.delivery import Window
from training.launch.environment import Rendezvous, count_threads, meeting_variables, start_environment
from training.launch.job import Job
from training.launch.options import RankOptions
from training.launch.process import RankProcess
from training.launch.ranks import RankInfo, assign_ranks


def run_local(payload: bytes, num_ranks: int, options: RankOptions, job: Job) -> dict[int, bytes]:
    """Run the pickled function on processes of this machine; returns the pickled values by rank.

    The ranks see the GPUs that this process sees; `local_rank` says which is whose, as Horovod has it.

    Raises:
        RankFailedError: A rank raised or died.
        CallbackError: A function that takes output or events raised.
        TrainingError: No port is free, or the interface does not exist.
    """
    # Only here: importing Horovod takes a while.
    from training.launch.rendezvous import RendezvousServer

    places = assign_ranks([f"{socket.gethostname()}:0"] * num_ranks)
    address = network.address_of(options.interface) if options.interface else network.LOOPBACK
    results: dict[int, bytes] = {}
    ranks: list[tuple[RankProcess, threading.Thread]] = []

    def obey(message: Message) -> None:
        if message["type"] == "stop":
            for process, _ in list(ranks):
                process.stop()

    job.connect(obey)
    with RendezvousServer(address, options.ports, f"{options.names.prefix}ports") as server:
        server.start(places, {address})
        rendezvous = Rendezvous(address, server.port, network.interface_of(address))
        try:
            for info in places:
                environment = start_environment(
                    info,
                    threads=count_threads(options.threads_per_rank, info.local_size),
                    stall_seconds=options.stall_seconds,
                    gpus=(),
                    given=options.environment,
                )
                window = Window()
                process = RankProcess(
                    environment,
                    rank=info.rank,
                    host=info.host,
                    send=partial(job.on_message, info.rank, delivered=window.give),
                    window=window,
                    stream_output=options.stream_output,
                )
                process.give(payload, meeting_variables(rendezvous, gpus=(), started=environment))
                thread = threading.Thread(target=_watch, args=(process, info, job, results), daemon=True)
                ranks.append((process, thread))
                thread.start()
                if job.stopped_for():
                    process.stop()
            for _, thread in ranks:
                thread.join()
        except BaseException:
            # Ctrl-C, most likely; no rank outlives the call.
            job.stop()
            for _, thread in ranks:
                thread.join()
            raise
    job.finish()
    if job.failures:
        raise job.failed()
    if len(results) + len(job.lost) < num_ranks:
        raise TrainingError(f"the launch ended with the values of {len(results)} of {num_ranks} ranks")
    return results


def _watch(process: RankProcess, info: RankInfo, job: Job, results: dict[int, bytes]) -> None:
    outcome = process.wait()
    if outcome.failure:
        job.on_message(info.rank, {"type": "failure", **outcome.failure.as_message()})
    elif outcome.value is not None:
        results[info.rank] = outcome.value
        job.on_message(info.rank, {"type": "done"})
