"""Failures on executors of their own: each ends within 30 s, names rank and host, and leaves nothing."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.training.launch.clusters import ClusterDriver

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

FAILURE_SECONDS = 30
"""From the failure to the error, see the issue on launching."""

STALL_SECONDS = 5


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterDriver]:
    driver = ClusterDriver(tmp_path_factory.mktemp("cluster"), "local-cluster[2,1,1024]")
    yield driver
    driver.close()


@pytest.mark.parametrize("moment", ["before", "in", "after"])
def test_kill_9_of_a_rank(driver: ClusterDriver, moment: str) -> None:
    answer = driver.launch("kill", 2, 1, "rank", moment)
    assert answer.error.startswith("rank 1 of 2 on host 127.0.0.1 failed: the process was ended by SIGKILL")
    assert answer.kind == "RankFailedError"
    assert answer.seconds < FAILURE_SECONDS
    driver.assert_nothing_is_left()


def test_kill_9_of_an_executor_then_a_restart_on_its_replacement(
    driver: ClusterDriver, tmp_path: Path
) -> None:
    answer = driver.launch("kill", 2, 1, "executor", "in")
    first, *_, last = answer.error.splitlines()
    assert (
        first == "rank 1 of 2 on host 127.0.0.1 failed: its Spark task or executor went away without a word"
    )
    assert "Spark says: " in answer.error
    assert "xecutor" in last
    assert answer.seconds < FAILURE_SECONDS
    driver.assert_nothing_is_left()

    answer = driver.launch("kill", 2, 0, "executor", "in", str(tmp_path / "done"), max_restarts=1)
    assert (answer.error, answer.values) == ("", [2.0, 2.0])
    told = [line for line in answer.lines if line.endswith("restart 1 of 1")]
    assert told == [
        "attempt 1 (2 ranks): rank 0 of 2 on host 127.0.0.1 failed: its Spark task or executor went away "
        "without a word; restart 1 of 1"
    ]
    driver.assert_nothing_is_left()


def test_an_exception_is_retried_and_every_attempt_is_told(driver: ClusterDriver) -> None:
    answer = driver.launch("fail", 2, 1, max_restarts=1)
    cause = "rank 1 of 2 on host 127.0.0.1 failed: LookupError: no such token: 12"
    lines = answer.error.splitlines()
    assert lines[0] == cause
    assert "in fail" in answer.error
    assert lines[-3:] == [
        "all attempts failed:",
        f"attempt 1 (2 ranks): {cause}",
        f"attempt 2 (2 ranks): {cause}",
    ]
    assert f"attempt 1 (2 ranks): {cause}; restart 1 of 1" in answer.lines
    assert answer.seconds < FAILURE_SECONDS
    driver.assert_nothing_is_left()


def test_a_rank_that_stands_still_is_named_though_nobody_guards_the_collective(driver: ClusterDriver) -> None:
    answer = driver.launch("freeze", 2, 1, stall_seconds=STALL_SECONDS)
    assert "waited more than 5 s for the other ranks in a Horovod operation" in answer.error.splitlines()[0]
    assert "not heard from: rank 1;" in answer.error
    assert "in freeze" in answer.error
    assert answer.seconds < FAILURE_SECONDS + STALL_SECONDS
    driver.assert_nothing_is_left()


def test_ctrl_c_with_pysparks_own_handler_ends_the_ranks_and_the_session_goes_on(
    driver: ClusterDriver,
) -> None:
    driver.begin("sleep", 2)
    driver.wait_for_line("up", 2)
    assert len([rank for rank in driver.ranks() if "training.launch.worker" in rank.cmdline()]) == 2
    # The driver's line and the rendezvous: both for this machine only, as all ranks are on it.
    assert len(driver.opened()) == 2
    assert {address for address, _ in driver.opened()} == {"127.0.0.1"}
    os.kill(driver.pid, signal.SIGINT)
    answer = driver.end()
    assert answer.kind == "KeyboardInterrupt"
    driver.assert_nothing_is_left()
    assert driver.launch("add_up", 2, 1.5).values == [3.0, 3.0]


def test_too_few_slots_fail_at_once(driver: ClusterDriver) -> None:
    answer = driver.launch("place", 3)
    assert answer.kind == "NotEnoughSlotsError"
    assert "train.num_ranks = 3, but local-cluster[2,1,1024] has 2 slots" in answer.error
    assert answer.seconds < FAILURE_SECONDS


def test_a_taken_port_is_passed_over_and_a_full_range_is_named(driver: ClusterDriver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = driver.launch("place", 2, ports=[port, port])
        assert answer.kind == "TrainingError"
        assert f"no free port in train.ports = {port}-{port} on 127.0.0.1" in answer.error
        assert driver.launch("place", 2, ports=[port, min(port + 20, 65535)]).error == ""
    # One port is enough for the driver's line, so it is the rendezvous, in rank 0's task, that finds none.
    answer = driver.launch("place", 2, ports=[port, port])
    assert answer.error.startswith("rank 0 of 2 on host 127.0.0.1 failed: its task could not start it: ")
    assert f"no free port in train.ports = {port}-{port} on 127.0.0.1" in answer.error
    assert answer.seconds < FAILURE_SECONDS
    driver.assert_nothing_is_left()


def test_an_interface_that_does_not_exist_is_named_with_those_that_do(driver: ClusterDriver) -> None:
    answer = driver.launch("place", 2, interface="ring7")
    assert "has no network interface 'ring7' with an IPv4 address; it has" in answer.error.splitlines()[0]
    assert answer.seconds < FAILURE_SECONDS
    driver.assert_nothing_is_left()
