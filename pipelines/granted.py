"""What a cluster has given a session: executors, task slots, memory; and where that is too little.

A local session has one executor, which is its driver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from pipelines.sizing import MIB, local_cores, parse_size

HEAP_OF_A_TASK = 768 * MIB
"""Heap of a task below which sorts spill more than they hold: with Spark's own share it is left 0.3 GiB."""

WORKER_BYTES = 512 * MIB
"""What a Python worker takes: 0.2 GiB of libraries, batches of 32 MiB, and a document of 8 MiB in work."""

JVM_BYTES = 256 * MIB
"""What a JVM takes beside its heap: code, threads, network buffers."""

_LEAST_OVERHEAD = 384
"""MiB that YARN and Kubernetes add to a heap at least (spark.executor.memoryOverhead)."""


@dataclass(frozen=True)
class Granted:
    """What runs the tasks.

    Attributes:
        executors: Executors at work; 0 while none has come.
        slots: Tasks that they run at once, all together; what was asked for while none has come.
        slots_of_one: Tasks that one of them runs at once.
        heap: Heap of one, in bytes.
    """

    executors: int
    slots: int
    slots_of_one: int
    heap: int


def is_local(session: SparkSession) -> bool:
    """Whether the driver itself runs the tasks."""
    master: str = session.sparkContext.master or ""
    return master.startswith("local") and not master.startswith("local-cluster")


def granted(session: SparkSession) -> Granted:
    """What the session has now: executors come and go."""
    context: Any = session.sparkContext
    conf: Any = context.getConf()
    if is_local(session):
        slots = local_cores(context.master or "")
        return Granted(1, slots, slots, parse_size(conf.get("spark.driver.memory", "1g") or "1g"))
    heap = parse_size(conf.get("spark.executor.memory", "1g") or "1g")
    of_a_task = max(1, int(conf.get("spark.task.cpus", "1") or 1))
    cores = _cores(session)
    if cores:
        each = [max(1, number // of_a_task) for number in cores]
        return Granted(len(cores), sum(each), max(each), heap)
    asked = max(1, int(conf.get("spark.executor.cores", "1") or 1) // of_a_task)
    instances = int(conf.get("spark.executor.instances", "1") or 1)
    return Granted(0, max(context.defaultParallelism, asked * instances), asked, heap)


def shortfalls(session: SparkSession) -> list[str]:
    """What is likely to be too small on a cluster, a line each with the key to raise."""
    if is_local(session):
        return []
    conf: Any = session.sparkContext.getConf()
    found = granted(session)
    lines = []
    of_a_task = found.heap // found.slots_of_one
    if of_a_task < HEAP_OF_A_TASK:
        wanted = HEAP_OF_A_TASK * found.slots_of_one // MIB
        lines.append(
            f"each of {found.slots_of_one} tasks of an executor has {of_a_task // MIB} MiB of heap, below "
            f"{HEAP_OF_A_TASK // MIB}: large sorts will be slow; set spark.executor.memory={wanted}m"
        )
    if conf.get("spark.master", "").startswith(("yarn", "k8s")):
        beside = _overhead(conf, found.heap)
        wanted = JVM_BYTES + WORKER_BYTES * found.slots_of_one
        if beside < wanted:
            lines.append(
                f"an executor is granted {beside // MIB} MiB beside its heap, but {found.slots_of_one} "
                f"Python workers and the JVM itself may take {wanted // MIB}, and the cluster kills what "
                f"takes more; set spark.executor.memoryOverhead={wanted // MIB}m"
            )
    return lines


def asked_for(session: SparkSession) -> str:
    """The executors that a session asks its cluster for, in words."""
    conf: Any = session.sparkContext.getConf()
    cores = conf.get("spark.executor.cores", "all" if "spark://" in conf.get("spark.master", "") else "1")
    return f"executors of {conf.get('spark.executor.memory', '1g')} heap and {cores} cores"


def _overhead(conf: Any, heap: int) -> int:
    pyspark = conf.get("spark.executor.pyspark.memory")
    more = parse_size(pyspark) if pyspark else 0
    fixed = conf.get("spark.executor.memoryOverhead")
    if fixed:
        return parse_size(fixed) + more
    least = parse_size(conf.get("spark.executor.minMemoryOverhead", f"{_LEAST_OVERHEAD}m"))
    factor = float(conf.get("spark.executor.memoryOverheadFactor", "0.1"))
    return max(least, int(heap * factor)) + more


def _cores(session: SparkSession) -> list[int]:
    """Cores of each executor that is at work, from Spark's own books."""
    context: Any = session.sparkContext._jsc
    executors = context.sc().statusStore().executorList(True)
    every = [executors.apply(index) for index in range(executors.size())]
    return [int(one.totalCores()) for one in every if one.id() != "driver" and int(one.totalCores()) > 0]
