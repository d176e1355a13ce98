"""Real barrier stages with real Horovod: results, output, and every way a rank can fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from pyspark.sql import SparkSession

from training.errors import NotEnoughSlotsError, RankFailedError, TrainingError
from training.launch import LaunchOptions, barrier, launch
from training.launch.channel import DriverServer

FAILURE_SECONDS = 30
"""A failure must have ended the job by then, see the issue on launching; importing torch is counted in."""


def rank_processes() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if "training.launch.worker" in (process.info["cmdline"] or []):
            found.append(process)
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def is_mine(process: psutil.Process) -> bool:
    """Whether it belongs to this test process: the Spark JVM is its child, all else descends from there."""
    return any(parent.pid == os.getpid() for parent in process.parents())


def assert_nothing_is_left() -> None:
    assert [process for process in rank_processes() if is_mine(process)] == []


def run(spark: SparkSession, body: Callable[..., Any], num_ranks: int = 2, **options: Any) -> list[Any]:
    lines: list[str] = options.pop("lines", [])
    given = {name: options.pop(name) for name in ("args", "kwargs") if name in options}
    wanted = LaunchOptions(say=lines.append, **options)
    return launch(body, num_ranks, spark=spark, options=wanted, **given)


def test_ranks_reduce_over_the_ring_and_return_by_rank(spark: SparkSession) -> None:
    def body(offset: int, *, factor: float) -> Any:
        import os

        import horovod.torch as hvd
        import torch

        from training.launch import current_rank, emit

        hvd.init()
        print(f"hello from {hvd.rank()}")
        emit({"rank": hvd.rank()})
        total = hvd.allreduce(torch.ones(3) * (hvd.rank() + offset) * factor, op=hvd.Sum)
        return current_rank().rank, total.tolist(), os.environ["OMP_NUM_THREADS"], torch.get_num_threads()

    lines: list[str] = []
    events: list[tuple[int, dict[str, Any]]] = []
    results = run(
        spark,
        body,
        lines=lines,
        args=(1,),
        kwargs={"factor": 2.0},
        threads_per_rank=1,
        on_event=lambda rank, event: events.append((rank, event)),
    )
    assert results == [(0, [6.0] * 3, "1", 1), (1, [6.0] * 3, "1", 1)]
    assert {"[rank 0] hello from 0", "[rank 1] hello from 1"} <= set(lines)
    assert sorted(events, key=lambda event: event[0]) == [(0, {"rank": 0}), (1, {"rank": 1})]
    assert_nothing_is_left()


def test_one_rank_needs_no_ring_and_a_fresh_process_is_used_each_time(spark: SparkSession) -> None:
    def body() -> tuple[int, str | None]:
        import os

        before = os.environ.get("LEFT_BEHIND")
        os.environ["LEFT_BEHIND"] = "yes"
        return os.getpid(), before

    (first,), (second,) = run(spark, body, 1), run(spark, body, 1)
    assert first[0] != second[0]
    assert first[1] is second[1] is None


def test_too_few_slots_fail_at_once_with_both_numbers_and_the_remedy(spark: SparkSession) -> None:
    begin = time.monotonic()
    with pytest.raises(NotEnoughSlotsError, match=r"num_ranks = 7, but local\[2\] has 2 slots.*local\[7\]"):
        run(spark, lambda: None, 7)
    assert time.monotonic() - begin < 5


def test_an_exception_ends_all_ranks_and_comes_with_rank_and_traceback(spark: SparkSession) -> None:
    def body() -> None:
        import horovod.torch as hvd
        import torch

        hvd.init()
        if hvd.rank() == 1:
            raise LookupError("no such token: 12")
        hvd.allreduce(torch.ones(1), name="never")

    begin = time.monotonic()
    with pytest.raises(RankFailedError) as caught:
        run(spark, body)
    assert time.monotonic() - begin < FAILURE_SECONDS
    text = str(caught.value)
    assert text.startswith("rank 1 of 2 on host ")
    assert "LookupError: no such token: 12" in text.splitlines()[0]
    assert "in body" in text
    assert "worker.py" not in text
    cause = caught.value.cause
    assert (cause.rank, cause.host, cause.kind) == (1, text.split()[6], "exception")
    assert cause.summary == "LookupError: no such token: 12"
    assert cause.traceback.rstrip() in text
    assert_nothing_is_left()


def test_kill_9_of_a_rank_in_a_collective_is_named(spark: SparkSession) -> None:
    def body() -> None:
        import os
        import signal

        import horovod.torch as hvd
        import torch

        hvd.init()
        hvd.allreduce(torch.ones(1), name="together")
        if hvd.rank() == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        hvd.allreduce(torch.ones(1), name="never")

    begin = time.monotonic()
    with pytest.raises(RankFailedError, match=r"^rank 0 of 2 on host \S+ failed: .*SIGKILL") as caught:
        run(spark, body)
    assert (caught.value.cause.rank, caught.value.cause.kind) == (0, "exit")
    assert {failure.kind for failure in caught.value.failures[1:]} <= {"collective"}
    assert time.monotonic() - begin < FAILURE_SECONDS
    assert_nothing_is_left()


def test_a_rank_that_leaves_by_itself_and_what_it_started_are_ended(spark: SparkSession) -> None:
    def body() -> None:
        import os
        import subprocess
        import sys

        from training.launch import current_rank

        if current_rank().rank == 1:
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "training.launch.worker"])
            print("leaving", flush=True)
            os._exit(7)
        import time

        time.sleep(600)

    with pytest.raises(RankFailedError, match=r"(?s)^rank 1 of 2 .*exit code 7.*leaving"):
        run(spark, body)
    assert_nothing_is_left()


def test_a_rank_that_stalls_ends_the_job(spark: SparkSession) -> None:
    def body() -> None:
        import time

        import torch

        from training.strategies import make_strategy

        strategy = make_strategy()
        strategy.add_numbers(torch.ones(1))
        if strategy.rank == 1:
            time.sleep(600)
        strategy.add_numbers(torch.ones(1))

    with pytest.raises(RankFailedError) as caught:
        run(spark, body, stall_seconds=20)
    text = str(caught.value)
    assert re.match(
        r"rank 0 of 2 on host \S+ failed: waited more than 20 s .* in the sum of the scores", text
    )
    assert "not heard from: rank 1;" in text
    assert "in body" in text
    assert_nothing_is_left()


def test_a_rank_that_sleeps_while_others_call_horovod_directly_is_named(spark: SparkSession) -> None:
    def body() -> None:
        import time

        import horovod.torch as hvd
        import torch

        hvd.init()
        if hvd.rank() == 1:
            time.sleep(600)
        hvd.allreduce(torch.ones(1), name="never")

    with pytest.raises(RankFailedError) as caught:
        run(spark, body, stall_seconds=5)
    text = str(caught.value)
    assert "waited more than 5 s for the other ranks in a Horovod operation" in text.splitlines()[0]
    assert "not heard from: rank 1;" in text
    assert "in body" in text
    assert_nothing_is_left()


def test_a_rank_may_join_and_wait_longer_than_a_stall(spark: SparkSession) -> None:
    def body() -> float:
        import time

        import horovod.torch as hvd
        import torch

        hvd.init()
        total = 0.0
        for step in range(1 if hvd.rank() == 0 else 3):
            total += float(hvd.allreduce(torch.ones(1), op=hvd.Sum, name=f"step {step}")[0])
            if step:
                time.sleep(4.5)
        hvd.join()
        return total

    assert run(spark, body, stall_seconds=5) == [2.0, 4.0]


def test_the_ranks_end_when_the_driver_ends_the_job(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver's end of the line goes, as it does when the driver is killed."""

    def body() -> None:
        import time

        print("up", flush=True)
        time.sleep(600)

    servers: list[DriverServer] = []

    class Noted(DriverServer):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            servers.append(self)

    monkeypatch.setattr(barrier, "DriverServer", Noted)
    closer: list[threading.Thread] = []

    def say(line: str) -> None:
        if line.endswith("up") and not closer:
            closer.append(threading.Thread(target=servers[0].close))
            closer[0].start()

    with pytest.raises(TrainingError):
        launch(body, 2, spark=spark, options=LaunchOptions(say=say))
    assert_nothing_is_left()


def test_what_cannot_be_pickled_is_explained(spark: SparkSession) -> None:
    lock = threading.Lock()
    with pytest.raises(TrainingError, match=r"cannot be pickled.*lock"):
        run(spark, lambda: lock)
    with pytest.raises(RankFailedError, match=r"returned a lock that cannot be pickled"):
        run(spark, lambda: __import__("threading").Lock(), 1)


def test_a_chatty_rank_neither_blocks_nor_breaks_the_line(spark: SparkSession) -> None:
    def body() -> int:
        import os
        import sys

        for number in range(2000):
            print(f"line {number}")
        print("x" * 100_000)
        sys.stdout.flush()
        os.write(1, b"\xff\xfe no text\n")
        os.write(2, b"no newline at the end")
        return 1

    lines: list[str] = []
    assert run(spark, body, 1, lines=lines) == [1]
    assert [line for line in lines if " line " in line] == [f"[rank 0] line {n}" for n in range(2000)]
    assert "".join(line for line in lines if "xx" in line).count("x") == 100_000
    assert "[rank 0] \ufffd\ufffd no text" in lines
    assert "[rank 0] no newline at the end" in lines


def test_the_job_is_described_and_the_threads_properties_are_restored(spark: SparkSession) -> None:
    context = spark.sparkContext
    context.setJobGroup("mine", "my own work")
    try:
        run(spark, lambda: 1, 1, description="a described launch")
        assert context.getLocalProperty("spark.jobGroup.id") == "mine"
        assert context.getLocalProperty("spark.job.description") == "my own work"
    finally:
        # None takes a property away, which Spark's annotation leaves out.
        context.setLocalProperty("spark.jobGroup.id", None)  # type: ignore[arg-type]
        context.setLocalProperty("spark.job.description", None)  # type: ignore[arg-type]


DRIVER = """
import sys, time
from pyspark.sql import SparkSession
from training.launch import launch

def body():
    import os, subprocess, time
    subprocess.Popen(["sleep", "600"])
    print("pid", os.getpid(), os.getppid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    launch(body, 2, spark=spark)
"""


def test_kill_9_of_the_driver_leaves_no_orphan(tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYSPARK_PYTHON": sys.executable}
    driver = subprocess.Popen(
        [sys.executable, str(script)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert driver.stdout
    ranks: list[psutil.Process] = []
    for line in driver.stdout:
        if line.startswith("[rank") and " pid " in line:
            ranks.append(psutil.Process(int(line.split(" pid ")[1].split()[0])))
        if len(ranks) == 2:
            break
    assert len(ranks) == 2
    everyone = [driver.pid, *(child.pid for child in psutil.Process(driver.pid).children(recursive=True))]
    watched = [psutil.Process(pid) for pid in everyone[1:] if psutil.pid_exists(pid)]
    assert {rank.pid for rank in ranks} <= {process.pid for process in watched}
    driver.kill()
    driver.wait()
    driver.stdout.close()
    _, alive = psutil.wait_procs(watched, timeout=FAILURE_SECONDS)
    assert alive == []
