"""A Spark driver in a process of its own: runs the launches it is asked for on standard input.

Usage: python cluster_driver.py MASTER [key=value ...]

It prints `@ready`, then for each line {"body": ..., "ranks": ..., "args": ..., "options": ...} the output of
the launch as `@line ...` and its end as `@done {...}`. As a script's, its functions travel by value.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from training.launch import Elastic, LaunchOptions, launch


def place() -> dict[str, Any]:
    """Where a rank is and which GPUs it sees; needs no torch."""
    from training.launch import current_backend, current_rank

    info = current_rank()
    return {
        "rank": info.rank,
        "local_rank": info.local_rank,
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "backend": current_backend(),
    }


def add_up(value: float) -> float:
    """One all-reduce."""
    import horovod.torch as hvd
    import torch

    hvd.init()
    return float(hvd.allreduce(torch.tensor([value]), op=hvd.Sum)[0])


def kill(rank: int, what: str, moment: str, once: str = "") -> float:
    """Kill the rank's process, or its executor, before, in or after a collective.

    Args:
        rank: Who does it.
        what: 'rank' or 'executor'.
        moment: 'before' the ring is built, 'in' a collective that others have begun, 'after' the last one.
        once: A file that is there once it has been done; then all goes well.
    """
    import signal
    import subprocess
    import threading

    import psutil

    from training.launch import current_rank

    subprocess.Popen(["sleep", "600"])
    armed = current_rank().rank == rank and not (once and Path(once).exists())

    def fire() -> None:
        target = os.getpid()
        if what == "executor":
            java = [parent for parent in psutil.Process().parents() if "java" in parent.name()]
            target = java[0].pid
        if once:
            Path(once).touch()
        print("killed at", time.time(), flush=True)
        time.sleep(0.2)
        os.kill(target, signal.SIGKILL)
        time.sleep(600)

    if moment == "before" and armed:
        fire()
    import horovod.torch as hvd
    import torch

    hvd.init()
    hvd.allreduce(torch.ones(1), name="together")
    if moment == "in" and armed:
        threading.Thread(target=fire, daemon=True).start()
        time.sleep(600)
    total = float(hvd.allreduce(torch.ones(1_000_000), op=hvd.Sum, name="large")[0])
    if moment == "after" and armed:
        hvd.shutdown()
        fire()
    return total


def fail(rank: int) -> None:
    """Raise on one rank while the others wait for it."""
    import horovod.torch as hvd
    import torch

    hvd.init()
    if hvd.rank() == rank:
        print("killed at", time.time(), flush=True)
        raise LookupError("no such token: 12")
    hvd.allreduce(torch.ones(1), name="never")


def freeze(rank: int) -> None:
    """Stop one rank's process for ever; the others call Horovod directly."""
    import signal

    import horovod.torch as hvd
    import torch

    hvd.init()
    hvd.allreduce(torch.ones(1), name="together")
    if hvd.rank() == rank:
        print("killed at", time.time(), flush=True)
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGSTOP)
    hvd.allreduce(torch.ones(1), name="never")


def sleep() -> None:
    """Sleep for ever."""
    print("up", flush=True)
    time.sleep(600)


def sleep_until(gate: str) -> int:
    """Sleep for ever if the file is not there at the start, else return the number of ranks."""
    from training.launch import current_rank

    if not Path(gate).exists():
        print("up", flush=True)
        time.sleep(600)
    return current_rank().world_size


def reduce_over(steps: int, numbers: int, gate: str = "") -> dict[str, Any]:
    """All-reduces, one after the other; with a gate that is not there yet, on and on until it is.

    Args:
        steps: How many.
        numbers: Numbers in each.
        gate: A file.
    """
    import horovod.torch as hvd
    import torch

    hvd.init()
    total, done = 0.0, 0
    while True:
        ones = torch.ones(numbers)
        total += float(hvd.allreduce(ones, op=hvd.Sum, name="step").sum()) / numbers
        done += 1
        # All ranks stop at the same step.
        is_over = hvd.allreduce(torch.tensor([float(bool(gate) and not Path(gate).exists())]), name="go on")
        if done == 1:
            print("up", flush=True)
        if done >= steps and not float(is_over[0]):
            break
    return {
        "total": total / done,
        "size": hvd.size(),
        "interface": os.environ["HOROVOD_GLOO_IFACE"],
        "server": os.environ["HOROVOD_GLOO_RENDEZVOUS_ADDR"],
    }


BODIES = {
    body.__name__: body for body in (place, add_up, kill, fail, freeze, sleep, sleep_until, reduce_over)
}


def say(line: str) -> None:
    print("@line", line, flush=True)


def answer(spark: SparkSession, request: dict[str, Any]) -> dict[str, Any]:
    options = request.get("options", {})
    if "elastic" in options:
        options["elastic"] = Elastic(*options["elastic"])
    if "ports" in options:
        options["ports"] = tuple(options["ports"])
    body = BODIES[request["body"]]
    values: list[Any] = []
    error = kind = ""
    begin = time.time()
    try:
        values = launch(
            body,
            request["ranks"],
            spark=spark,
            args=request.get("args", ()),
            options=LaunchOptions(say=say, **options),
        )
    except (Exception, KeyboardInterrupt) as caught:  # noqa: BLE001 - the test looks at it
        error, kind = str(caught), type(caught).__name__
    return {"values": values, "error": error, "kind": kind, "begin": begin, "end": time.time()}


def main() -> None:
    builder = SparkSession.builder.master(sys.argv[1]).config("spark.ui.enabled", "false")
    for setting in sys.argv[2:]:
        builder = builder.config(*setting.split("=", 1))
    spark = builder.getOrCreate()
    print("@ready", flush=True)
    for line in sys.stdin:
        print("@done", json.dumps(answer(spark, json.loads(line))), flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
