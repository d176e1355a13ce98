"""From the call of a launcher to the first all-reduce, beside TorchDistributor and horovod.spark.run.

python -m benchmarks launch                 5 rounds of all launchers on local-cluster[2,1,1024]
python -m benchmarks launch --rounds 3 --json

All launchers run on the same cluster from the same process, in turn; the first round, in which Spark starts
its Python workers, is shown apart. The clock is the machine's monotonic one, which its processes share.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe

RANKS = 2
MASTER = f"local-cluster[{RANKS},1,1024]"

PHASES = ("to function", "import", "init", "all-reduce")
"""What the time of a launch is split into: all before the rank's function, and its own three parts."""

IMPORTS = "import torch, horovod.torch"

Times = dict[str, float]


def horovod_function() -> Times:
    """What a rank of Horovod does up to its first all-reduce, and when; rank 0's clock."""
    import time

    found = {"function": time.monotonic()}
    import horovod.torch as hvd
    import torch

    found["import"] = time.monotonic()
    hvd.init()
    found["init"] = time.monotonic()
    total = hvd.allreduce(torch.ones(1), op=hvd.Sum)
    found["all-reduce"] = time.monotonic()
    if total.item() != hvd.size():
        raise ValueError(f"the sum of {hvd.size()} ones was {total.item()}")
    return found


def gloo_function() -> Times:
    """The same for torch.distributed."""
    import time

    found = {"function": time.monotonic()}
    import torch
    import torch.distributed as dist

    found["import"] = time.monotonic()
    dist.init_process_group("gloo")
    found["init"] = time.monotonic()
    total = torch.ones(1)
    dist.all_reduce(total)
    found["all-reduce"] = time.monotonic()
    if total.item() != dist.get_world_size():
        raise ValueError(f"the sum of {dist.get_world_size()} ones was {total.item()}")
    dist.destroy_process_group()
    return found


def run_ringlake(spark: Any) -> Times:
    from training.launch import LaunchOptions, launch

    times: Times = launch(horovod_function, RANKS, spark=spark, options=LaunchOptions(threads_per_rank=1))[0]
    return times


def run_torch_distributor(_spark: Any) -> Times:
    from pyspark.ml.torch.distributor import TorchDistributor

    distributor = TorchDistributor(num_processes=RANKS, local_mode=False, use_gpu=False)
    times: Times | None = distributor.run(gloo_function)
    if times is None:
        raise RuntimeError("TorchDistributor gave back nothing of rank 0")
    return times


def run_horovod_spark(_spark: Any) -> Times:
    import horovod.spark

    times: list[Times] = horovod.spark.run(
        horovod_function, num_proc=RANKS, use_gloo=True, use_mpi=False, start_timeout=300, verbose=0
    )
    return times[0]


LAUNCHERS: dict[str, Callable[[Any], Times]] = {
    "ringlake": run_ringlake,
    "TorchDistributor": run_torch_distributor,
    "horovod.spark.run": run_horovod_spark,
}


def main(argv: list[str]) -> int:
    """Runs the launchers in turn and prints medians, or JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks launch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds, after a first one")
    parser.add_argument("--only", default=",".join(LAUNCHERS), help="names of launchers, with commas")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    names = options.only.split(",")
    unknown = sorted(set(names) - LAUNCHERS.keys())
    if unknown or options.rounds < 1:
        parser.error(f"launchers are {', '.join(LAUNCHERS)}; rounds are at least 1")
    machine = describe()
    rounds: dict[str, list[Times]] = {name: [] for name in names}
    with _session() as spark:
        for number in range(options.rounds + 1):
            for name in in_turn(names, number):
                begin = time.monotonic()
                with _quiet():
                    found = LAUNCHERS[name](spark)
                rounds[name].append(phases(begin, found) | {"to the end": time.monotonic() - begin})
                sys.stderr.write(f"round {number}: {name} {rounds[name][-1]['total']:.2f} s\n")
    imports = [import_seconds(RANKS) for _ in range(options.rounds)]
    value = {
        "benchmark": "launch",
        "machine": machine,
        "master": MASTER,
        "rounds": options.rounds,
        "import_seconds": {
            "one process": statistics.median(import_seconds(1) for _ in range(options.rounds)),
            f"{RANKS} processes at once": statistics.median(imports),
        },
        "launchers": {name: summary(found) for name, found in rounds.items()},
    }
    sys.stdout.write(json.dumps(value, indent=1) + "\n" if options.json else text(value))
    return 0


def phases(begin: float, found: Mapping[str, float]) -> Times:
    """Seconds of each phase and their total, from the times on the common clock."""
    marks = [begin, *(found[name] for name in ("function", "import", "init", "all-reduce"))]
    parts = {name: end - start for name, start, end in zip(PHASES, marks, marks[1:], strict=False)}
    return parts | {"total": marks[-1] - begin}


def summary(rounds: Sequence[Times]) -> dict[str, Any]:
    """First round, and of the others the median of each phase and the extremes of the total, in seconds."""
    first, *others = rounds
    totals = [found["total"] for found in others]
    return {
        "first": first["total"],
        "median": {name: statistics.median(found[name] for found in others) for name in first},
        "fastest": min(totals),
        "slowest": max(totals),
    }


def in_turn(names: Sequence[str], number: int) -> list[str]:
    """The names in the order of a round: each round begins with the next one."""
    shift = number % len(names)
    return [*names[shift:], *names[:shift]]


def import_seconds(processes: int) -> float:
    """Wall time of so many fresh processes that import torch and Horovod at once, in seconds."""
    begin = time.monotonic()
    started = [subprocess.Popen([sys.executable, "-c", IMPORTS]) for _ in range(processes)]
    if any(process.wait() for process in started):
        raise RuntimeError(f"{IMPORTS!r} failed")
    return time.monotonic() - begin


def text(value: Mapping[str, Any]) -> str:
    """The measurement for people."""
    lines = [f"{'launcher':18} {'first':>7} {'median':>7} {'range':>13} {'ratio':>6}   phases of the median"]
    launchers = value["launchers"]
    base = launchers.get("ringlake", next(iter(launchers.values())))["median"]["total"]
    for name, found in launchers.items():
        median = found["median"]
        parts = ", ".join(f"{phase} {median[phase]:.2f}" for phase in PHASES)
        span = f"{found['fastest']:.2f}-{found['slowest']:.2f}"
        lines.append(
            f"{name:18} {found['first']:7.2f} {median['total']:7.2f} {span:>13} "
            f"{base / median['total']:6.2f}   {parts}; to the end {median['to the end']:.2f}"
        )
    imports = ", ".join(f"{name} {seconds:.2f}" for name, seconds in value["import_seconds"].items())
    lines += [f"{IMPORTS} alone: {imports}", "all in seconds", json.dumps(value["machine"])]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _session() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # Spark gives a Python worker this process's path; ranks of all launchers import from the checkout.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        entry for entry in (str(Path.cwd()), os.environ.get("PYTHONPATH")) if entry
    )
    spark = (
        SparkSession.builder.master(MASTER)
        .appName("ringlake launch benchmark")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.executor.memory", "1g")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    try:
        # Executors register while nobody measures.
        from training.launch.slots import check_slots

        check_slots(spark, RANKS, lambda _line: None)
        yield spark
    finally:
        spark.stop()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what launchers print out of the result: standard output is for it alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
