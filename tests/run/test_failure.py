"""Errors become one paragraph that names the cause."""

import pytest

from pipelines.console.console import printable
from pipelines.run.failure import as_ringlake_error, explain
from pipelines.run.shortage import SparkFacts
from training.errors import RankFailedError, TrainingError
from training.failures import Kind, RankFailure, describe_exit


def test_a_plain_error_keeps_kind_and_message() -> None:
    assert (
        explain(ValueError("steps is 0, it must be at least 1"))
        == "ValueError: steps is 0, it must be at least 1"
    )
    assert explain(KeyError()) == "KeyError"


def test_a_python_workers_error_is_found_in_sparks_text() -> None:
    text = (
        "An error occurred while calling o1.save.\n: org.apache.spark.SparkException: Job aborted\n"
        "Traceback (most recent call last):\n"
        '  File "/x/worker.py", line 1, in main\n    process()\n'
        "ValueError: row 7 is longer than 10\n\n\tat org.apache.spark.Foo\n"
        "Caused by: java.lang.Boom\n"
    )
    assert explain(RuntimeError(text)) == "ValueError: row 7 is longer than 10"


def test_the_deepest_java_cause_is_named() -> None:
    text = (
        "An error occurred\nCaused by: org.apache.spark.A: outer\n\tat x\n"
        "Caused by: java.io.IOException: No space left"
    )
    assert explain(RuntimeError(text)) == "java.io.IOException: No space left"


def test_text_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[31mb\u202ec\x00") == "a\\x1b[31mb\\u202ec\\x00"
    assert printable("naïve 文件 😀\n") == "naïve 文件 😀\n"


@pytest.mark.parametrize(
    ("said", "process", "key"),
    [
        ("java.lang.OutOfMemoryError: Java heap space", "JVM of Spark's driver", "spark.driver_memory"),
        ("Caused by: java.lang.OutOfMemoryError: GC overhead limit exceeded", "JVM", "spark.driver_memory"),
        ("java.lang.OutOfMemoryError: Metaspace", "JVM", "MaxMetaspaceSize"),
        ("java.lang.OutOfMemoryError: unable to create native thread", "thread", "ulimit -u"),
        ("SparkException: Python worker exited unexpectedly (crashed)", "Python worker", "local[N]"),
        (
            "PythonException: pyarrow.lib.ArrowMemoryError: malloc of size 64 failed",
            "Python worker",
            "local[N]",
        ),
        ("java.io.IOException: No space left on device", "disk is full", "spark.local.dir"),
        ("java.net.SocketException: Too many open files", "file descriptors", "ulimit -n"),
    ],
)
def test_a_shortage_names_process_amount_key_and_log(said: str, process: str, key: str) -> None:
    facts = SparkFacts(master="local[2]", driver_memory="512m", log="/lake/logs/spark.log")
    told = as_ringlake_error("dedup", RuntimeError(said), facts)
    assert told.exit_code == 4
    line = str(told)
    assert line.startswith("dedup: ")
    assert process in line
    assert key in line
    assert "/lake/logs/spark.log" in line
    assert "\n" not in line


def test_only_what_may_pass_is_called_worth_a_retry() -> None:
    assert as_ringlake_error("clean", RuntimeError("ExecutorLostFailure (executor 3 exited)")).exit_code == 5
    assert as_ringlake_error("clean", ValueError("row 7 is longer than 10")).exit_code == 7
    assert as_ringlake_error("train", TrainingError("the loss of step 3 is nan")).exit_code == 7


@pytest.mark.parametrize(
    ("kind", "summary", "exit_code"),
    [
        ("lost", "its Spark task has not reported within 60 s of the first", 5),
        ("collective", "waited more than 60 s for the other ranks in the sum", 5),
        ("exit", describe_exit(-9), 5),
        ("exit", describe_exit(7), 7),
        ("exception", "ConnectionResetError: by peer", 5),
        ("exception", "RuntimeError: OperationFailed('Failed to complete file in time')", 5),
        ("exception", "ValueError: row 7 is longer than 10", 7),
    ],
)
def test_what_a_rank_failed_of_says_whether_it_is_worth_a_retry(
    kind: Kind, summary: str, exit_code: int
) -> None:
    # Neither the host's name nor what other ranks met is the cause.
    failures = [
        RankFailure(1, "lost-and-gone.example", kind, summary),
        RankFailure(0, "a", "collective", "HorovodInternalError: Connection reset by peer"),
    ]
    told = as_ringlake_error("train", RankFailedError(failures, 2))
    assert told.exit_code == exit_code
    assert str(told).startswith(f"train failed: rank 1 of 2 on host lost-and-gone.example failed: {summary}")
