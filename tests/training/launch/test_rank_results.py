"""What a rank sends arrives whole, and how it ended is told as it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import psutil
import pytest
from pyspark import SparkConf

from tests.support.ranks import ranks_of_this_process
from training.errors import CallbackError, RankFailedError, TrainingError
from training.failures import RankFailure, describe_exit
from training.launch import LaunchOptions, launch, launch_local
from training.launch.delivery import checked
from training.launch.restarts import run_with_restarts
from training.launch.variables import executor_variables

Launch = Callable[..., list[Any]]


@pytest.fixture(params=["launch", "launch_local"])
def start(request: pytest.FixtureRequest) -> Launch:
    """Each launcher, called alike."""
    if request.param == "launch":
        return partial(launch, spark=request.getfixturevalue("spark"))
    return launch_local


def ends(pid: int) -> bool:
    """Whether a process, killed just now, ends; one that nobody has waited for has ended."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_events_of_many_threads_and_large_ones_arrive_whole() -> None:
    def body() -> None:
        import threading

        from training.launch import emit, log_to_driver

        def work(number: int) -> None:
            for index in range(100):
                emit({"number": number, "index": index, "pad": "x" * (9000 if index % 25 == 0 else 9)})
                log_to_driver(f"log {number} {index}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        emit({"number": 9, "index": 0, "pad": "y" * 5_000_000})

    events: list[dict[str, Any]] = []
    lines: list[str] = []
    launch_local(
        body, 1, options=LaunchOptions(say=lines.append, on_event=lambda _rank, event: events.append(event))
    )
    expected = {(number, index) for number in range(6) for index in range(100)}
    assert {(event["number"], event["index"]) for event in events} == expected | {(9, 0)}
    assert len(events) == 601
    assert sorted(lines) == sorted(f"[rank 0] log {number} {index}" for number, index in expected)


def test_an_exception_in_on_event_is_the_cause() -> None:
    def body() -> None:
        import time

        from training.launch import emit

        emit({"step": 1})
        time.sleep(600)

    def broken(_rank: int, _event: dict[str, Any]) -> None:
        raise KeyError("no such column")

    with pytest.raises(CallbackError, match=r"on_event.*KeyError: 'no such column'.*rank 0"):
        launch_local(body, 1, options=LaunchOptions(on_event=broken))


def test_the_summary_is_the_exception_and_a_signal_shows_the_stack() -> None:
    def noted() -> None:
        error = ValueError("the real one\nmore of it")
        error.add_note("only a note")
        raise error

    def faulty() -> None:
        import ctypes

        ctypes.string_at(0)

    with pytest.raises(RankFailedError) as caught:
        launch_local(noted, 1)
    assert str(caught.value).splitlines()[0].endswith("failed: ValueError: the real one")
    with pytest.raises(RankFailedError, match=r"(?s)SIGSEGV.*in faulty"):
        launch_local(faulty, 1)


def test_any_text_is_printed_whatever_the_locale(start: Launch) -> None:
    def body() -> str:
        import sys

        print("\u2192 \u4e2d\u6587 \ud800", flush=True)
        return sys.stdout.encoding

    lines: list[str] = []
    latin = {"PYTHONIOENCODING": "latin-1", "LC_ALL": "C", "PYTHONUTF8": "0"}
    start(body, 1, options=LaunchOptions(say=lines.append, env=latin))
    assert lines == ["[rank 0] \u2192 \u4e2d\u6587 \\ud800"]


def test_a_rank_that_leaves_without_its_value_has_failed(start: Launch) -> None:
    def body() -> None:
        import os

        os._exit(0)

    with pytest.raises(RankFailedError) as caught:
        start(body, 1)
    (failure,) = caught.value.failures
    assert failure.kind == "exit"
    assert failure.summary == describe_exit(0)
    assert "there is no value" in failure.summary


@pytest.mark.parametrize("way", ["objects", "descriptors"])
def test_a_rank_that_closed_its_output_has_succeeded(start: Launch, way: str) -> None:
    def body(way: str) -> str:
        import os
        import sys

        print("before", flush=True)
        if way == "objects":
            sys.stdout.close()
            sys.stderr.close()
        else:
            os.close(1)
            os.close(2)
        return "its value"

    lines: list[str] = []
    assert start(body, 1, args=(way,), options=LaunchOptions(say=lines.append)) == ["its value"]
    assert lines == ["[rank 0] before"]


@pytest.mark.parametrize("detached", [False, True])
def test_a_forked_child_that_holds_the_result_pipe_delays_and_spoils_nothing(
    start: Launch, detached: bool
) -> None:
    def body(detached: bool) -> tuple[str, int]:
        import os
        import time

        child = os.fork()
        if child == 0:
            if detached:
                os.setsid()
            time.sleep(600)
            os._exit(3)
        return "its value", child

    began = time.monotonic()
    [(value, child)] = start(body, 1, args=(detached,))
    assert value == "its value"
    assert time.monotonic() - began < 60
    assert ends(child)
    assert ranks_of_this_process() == []


def test_a_forked_child_that_returns_is_not_the_rank(start: Launch) -> None:
    def body() -> int:
        import os

        if os.fork() == 0:
            return -1
        os.wait()
        return 1

    assert start(body, 1) == [1]


def test_a_value_that_cannot_be_unpickled_is_told_with_its_rank(start: Launch) -> None:
    def body() -> Any:
        from training.launch import current_rank

        class TokenError(Exception):
            def __init__(self, token: int, place: str) -> None:
                super().__init__(f"token {token} at {place}")

        return TokenError(12, "the start") if current_rank().rank == 1 else None

    with pytest.raises(RankFailedError) as caught:
        start(body, 2)
    first = str(caught.value).splitlines()[0]
    assert first.startswith("rank 1 of 2 on host ")
    assert " on host unknown" not in first
    assert "the value that it returned cannot be unpickled on the driver: TypeError: " in first
    assert first.endswith("return plain values, or save it to a file and return its path")
    assert isinstance(caught.value.__cause__, TypeError)


def test_variables_of_the_user_reach_the_rank_and_sparks_secrets_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def body() -> tuple[Any, ...]:
        import os

        return tuple(os.environ.get(name) for name in names)

    names = ("HOROVOD_FUSION_THRESHOLD", "HOROVOD_CYCLE_TIME", "PYTHON_WORKER_FACTORY_SECRET")
    monkeypatch.setenv("HOROVOD_FUSION_THRESHOLD", "123")
    monkeypatch.setenv("PYTHON_WORKER_FACTORY_SECRET", "secret")
    assert launch_local(body, 1, options=LaunchOptions(env={"HOROVOD_CYCLE_TIME": "9"})) == [
        ("123", "9", None)
    ]
    with pytest.raises(TrainingError, match="env has HOROVOD_RANK, which the launcher sets"):
        launch_local(body, 1, options=LaunchOptions(env={"HOROVOD_RANK": "1"}))


def test_lines_of_the_launch_itself_are_a_callbacks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_line: str) -> None:
        raise BrokenPipeError("nobody reads")

    def attempt(_count: int) -> None:
        raise RankFailedError([RankFailure(0, "a", "exit", "the true cause")], 1)

    reason = "say, which takes lines of the launch, raised BrokenPipeError: nobody reads"
    with pytest.raises(RankFailedError) as caught:
        run_with_restarts(attempt, lambda _attempt: 1, 3, checked(broken))
    assert str(caught.value) == f"rank 0 of 1 on host a failed: the true cause\nno attempt follows: {reason}"
    monkeypatch.setenv("HOROVOD_RANK", "0")
    with pytest.raises(CallbackError, match=reason):
        launch_local(print, 1, options=LaunchOptions(say=broken))


def test_horovods_settings_for_executors_reach_the_ranks_and_those_of_the_launcher_are_told() -> None:
    conf = SparkConf(loadDefaults=False)
    conf.set("spark.executorEnv.HOROVOD_CYCLE_TIME", "7").set("spark.executorEnv.HOROVOD_RANK", "3")
    conf.set("spark.executorEnv.PATH", "/x").set("spark.executor.memory", "1g")
    lines: list[str] = []
    assert executor_variables(conf, lines.append) == {"HOROVOD_CYCLE_TIME": "7"}
    assert lines == [
        "launch: HOROVOD_RANK=3 in spark.executorEnv.* is not passed on, the launcher sets it itself"
    ]
