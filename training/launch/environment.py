"""The environment of a rank process: what Horovod, the maths libraries and CUDA read at start."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ringlake.base.clients import prepare_clients
from training.launch.ranks import BACKEND_VARIABLE, RankInfo
from training.launch.stall import STALL_VARIABLE
from training.launch.variables import RESERVED, is_sparks_secret, started_with

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

GLOO_TIMEOUT_SECONDS = 30
"""How long a rank waits for the others while the ring is built; the default of Horovod 0.28."""

CPU_CYCLE_MILLISECONDS = 5
"""Horovod's cycle time where ranks compute on CPUs. Its default of 1 ms keeps 8% of a core busy in every rank
(measured over Gloo, 2 ranks); 5 ms halves that and takes as long for a sum. GPUs keep the default."""


@dataclass(frozen=True)
class Rendezvous:
    """Where the ranks meet.

    Attributes:
        address: IP address of the key-value server.
        port: Its port.
        interface: Network interface that this rank's collectives use.
    """

    address: str
    port: int
    interface: str


def count_threads(requested: int | Literal["auto"], local_size: int) -> int:
    """CPU threads of a rank: as requested, or an equal share of the cores this process may use."""
    if requested != "auto":
        return requested
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // local_size)


def start_environment(
    info: RankInfo,
    *,
    threads: int,
    stall_seconds: int,
    gpus: Sequence[str],
    base: Mapping[str, str] | None = None,
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The variables that a rank process starts with: all that is known before the ranks meet.

    Args:
        info: Its place.
        threads: CPU threads it computes with.
        stall_seconds: A collective that waits longer than this ends the rank. Horovod's own default is never.
        gpus: Ids of the GPUs that Spark gave the task; Spark itself does not set CUDA_VISIBLE_DEVICES. Empty:
            the variable stays as it is.
        base: Variables to start from instead of this process's own.
        given: What the user asks for, see `training.launch.variables`; it counts before our defaults.
    """
    environment = dict(os.environ if base is None else base)
    prepare_clients(environment)
    environment = {name: value for name, value in environment.items() if not is_sparks_secret(name)}
    # A worker that Spark reuses may carry variables of an earlier job; what it started with is the user's.
    kept = started_with("HOROVOD_").items() & environment.items() if base is None else ()
    environment = {name: value for name, value in environment.items() if not name.startswith("HOROVOD_")}
    environment |= {name: value for name, value in kept if name not in RESERVED}
    environment.update({name: str(threads) for name in _THREAD_VARIABLES})
    environment.update(
        PYTHONPATH=os.pathsep.join(entry or os.getcwd() for entry in sys.path),  # noqa: PTH109 - a string is due
        PYTHONUNBUFFERED="1",
        TOKENIZERS_PARALLELISM="false",
        HOROVOD_HOSTNAME=info.host,
        HOROVOD_RANK=str(info.rank),
        HOROVOD_SIZE=str(info.world_size),
        HOROVOD_LOCAL_RANK=str(info.local_rank),
        HOROVOD_LOCAL_SIZE=str(info.local_size),
        HOROVOD_CROSS_RANK=str(info.cross_rank),
        HOROVOD_CROSS_SIZE=str(info.cross_size),
        HOROVOD_CONTROLLER="gloo",
        HOROVOD_CPU_OPERATIONS="gloo",
        **{STALL_VARIABLE: str(stall_seconds)},
    )
    defaults = {
        "HOROVOD_GLOO_TIMEOUT_SECONDS": str(GLOO_TIMEOUT_SECONDS),
        "HOROVOD_STALL_CHECK_TIME_SECONDS": str(max(1, stall_seconds // 2)),
        "HOROVOD_STALL_SHUTDOWN_TIME_SECONDS": str(stall_seconds),
    }
    environment = defaults | environment | dict(given or {})
    if gpus and "CUDA_VISIBLE_DEVICES" not in (given or {}):
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    return environment


def meeting_variables(
    rendezvous: Rendezvous,
    *,
    gpus: Sequence[str],
    gpus_shared: bool = False,
    started: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The variables that follow from the meeting; Horovod reads them when it is initialised.

    Args:
        rendezvous: Where the ranks meet.
        gpus: Ids of the GPUs that Spark gave the task.
        gpus_shared: Whether any GPU of the job has more than one rank (spark.task.resource.gpu.amount < 1).
        started: What the rank has started with: a variable of the user's is not replaced by a default.
    """
    backend = "nccl" if gpus and not gpus_shared else "gloo"
    variables = {
        "HOROVOD_GLOO_RENDEZVOUS_ADDR": rendezvous.address,
        "HOROVOD_GLOO_RENDEZVOUS_PORT": str(rendezvous.port),
        "HOROVOD_GLOO_IFACE": rendezvous.interface,
        # Without the sign NCCL takes every interface whose name begins like this.
        "NCCL_SOCKET_IFNAME": f"={rendezvous.interface}",
        BACKEND_VARIABLE: backend,
    }
    if backend == "gloo" and "HOROVOD_CYCLE_TIME" not in (started or {}):
        variables["HOROVOD_CYCLE_TIME"] = str(CPU_CYCLE_MILLISECONDS)
    return variables
