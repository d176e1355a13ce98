"""How many ranks can run at the same time, asked before anything is launched.

Spark itself gives up on a barrier stage without slots only after 40 checks of 15 seconds
(spark.scheduler.barrier.maxConcurrentTasksCheck.*); here the answer comes at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from training.errors import NotEnoughSlotsError

EXECUTOR_WAIT_SECONDS = 10.0
"""How long executors of a cluster that has just been started may take to register."""


def count_slots(spark: Any) -> int:
    """Tasks that the active executors can run at the same time: cores (and GPUs) over the needs of a task.

    It is the number that Spark's own barrier check uses, for every kind of master.
    """
    scala_context = spark.sparkContext._jsc.sc()
    profile = scala_context.resourceProfileManager().defaultResourceProfile()
    return int(scala_context.maxNumConcurrentTasks(profile))


def check_slots(
    spark: Any, num_ranks: int, say: Callable[[str], None], name: str = "train.num_ranks"
) -> None:
    """Make sure that every rank gets a slot.

    Args:
        spark: The session.
        num_ranks: Number of ranks.
        say: Takes a line.
        name: What the caller calls that number.

    Raises:
        NotEnoughSlotsError: There are fewer slots than ranks, or dynamic allocation is on.
    """
    slots = wait_for_slots(spark, num_ranks, say)
    if slots < num_ranks:
        master = spark.sparkContext.master
        raise NotEnoughSlotsError(
            f"{name} = {num_ranks}, but {master} has {slots} slot{'' if slots == 1 else 's'} "
            f"(cores of the active executors over spark.task.cpus; where tasks need GPUs, no more than these "
            f"over spark.task.resource.gpu.amount); give Spark at least {num_ranks} slots, for example "
            f"spark.master=local[{num_ranks}], "
            f"or set {name} to at most {slots}"
        )


def wait_for_slots(spark: Any, wanted: int, say: Callable[[str], None]) -> int:
    """The number of slots; on a cluster executors that are still registering are waited for.

    Raises:
        NotEnoughSlotsError: Dynamic allocation is on.
    """
    context = spark.sparkContext
    if context.getConf().get("spark.dynamicAllocation.enabled", "false").lower() == "true":
        raise NotEnoughSlotsError(
            "spark.dynamicAllocation.enabled is true, but a barrier stage needs a fixed set of executors; "
            "set it to false and spark.executor.instances to what the ranks need"
        )
    slots = count_slots(spark)
    is_local = context.master.startswith("local") and not context.master.startswith("local-cluster")
    if slots >= wanted or is_local:
        return slots
    say(f"launch: waiting for executors, {slots} of {wanted} slots are there")
    deadline = time.monotonic() + EXECUTOR_WAIT_SECONDS
    while slots < wanted and time.monotonic() < deadline:
        time.sleep(0.2)
        slots = count_slots(spark)
    return slots
