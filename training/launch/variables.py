"""Which environment variables of the user reach the ranks, and which of Spark's do not. Pure logic."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from training.errors import TrainingError

RESERVED = frozenset(
    {
        "HOROVOD_HOSTNAME",
        *(f"HOROVOD_{name}" for name in ("RANK", "SIZE")),
        *(f"HOROVOD_{scope}_{name}" for scope in ("LOCAL", "CROSS") for name in ("RANK", "SIZE")),
        "HOROVOD_CONTROLLER",
        "HOROVOD_CPU_OPERATIONS",
        *(f"HOROVOD_GLOO_{name}" for name in ("RENDEZVOUS_ADDR", "RENDEZVOUS_PORT", "IFACE")),
        "NCCL_SOCKET_IFNAME",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
    }
)
"""Variables by which the ranks find their code and each other: the launcher sets them."""

_OWN = "RINGLAKE_"

_SECRETS = (
    "PYTHON_WORKER_FACTORY_",
    "PYSPARK_GATEWAY_",
    "_PYSPARK_",
    "_SPARK_",
    "SPARK_CONNECT_AUTHENTICATE_",
)
"""How variables begin by which Spark's processes prove themselves to each other (SecurityManager,
PythonWorkerFactory, pyspark.java_gateway). A rank talks to none of them."""


def is_sparks_secret(name: str) -> bool:
    """Whether a variable is for Spark's own processes only."""
    return name.startswith(_SECRETS)


def check_variables(given: Mapping[str, str] | None) -> dict[str, str]:
    """The variables that a caller gives the ranks.

    Raises:
        TrainingError: One is no variable, or the launcher's own.
    """
    for name, value in (given or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TrainingError(
                f"env takes names and values of type str, not {name!r}: {value!r}; convert it"
            )
        if not name or "=" in name or "\0" in name + value:
            raise TrainingError(f"env has {name!r}: {value!r}, which no environment can hold")
        if name in RESERVED or name.startswith(_OWN):
            raise TrainingError(
                f"env has {name}, which the launcher sets for each rank; leave it out "
                f"(ranks, interface and ports are arguments of the launch)"
            )
    return dict(given or {})


def horovod_variables(
    environment: Mapping[str, str], say: Callable[[str], None], *, source: str = "the driver's environment"
) -> dict[str, str]:
    """Horovod's settings in an environment, for the ranks; what the launcher sets is told and left out.

    Args:
        environment: Variables.
        say: Takes a line.
        source: Where they are, for the line.
    """
    found = {name: value for name, value in environment.items() if name.startswith("HOROVOD_")}
    if found.keys() >= {"HOROVOD_RANK", "HOROVOD_SIZE"}:
        # A rank that launches ranks: what describes its own place is not the user's.
        return {name: value for name, value in found.items() if name not in RESERVED}
    for name in sorted(found.keys() & RESERVED):
        say(f"launch: {name}={found.pop(name)} in {source} is not passed on, the launcher sets it itself")
    return found


def executor_variables(conf: Any, say: Callable[[str], None]) -> dict[str, str]:
    """Horovod's settings among the variables that Spark gives its executors (`spark.executorEnv.*`).

    Args:
        conf: The application's SparkConf.
        say: Takes a line.
    """
    prefix = "spark.executorEnv."
    found = {key.removeprefix(prefix): value for key, value in conf.getAll() if key.startswith(prefix)}
    return horovod_variables(found, say, source=f"{prefix}*")


def started_with(prefix: str) -> dict[str, str]:
    """This process's variables with a prefix as they were when its program started (Linux, else none)."""
    try:
        content = Path("/proc/self/environ").read_bytes()
    except OSError:
        return {}
    pairs = (os.fsdecode(entry).partition("=") for entry in content.split(b"\0"))
    return {name: value for name, _, value in pairs if name.startswith(prefix)}
