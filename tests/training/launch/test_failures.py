"""The error names the rank that broke, not one that noticed it."""

from __future__ import annotations

import signal

from training.launch.failures import Failure, describe_exit, explain, failure_from_message, root_cause

NOTICED = Failure(0, "a", "collective", "HorovodInternalError: Connection reset by peer", "Traceback: ring")
RAISED = Failure(2, "b", "exception", "ValueError: boom", "Traceback: boom")
KILLED = Failure(1, "b", "exit", describe_exit(-signal.SIGKILL), output="last words")


def test_a_cause_comes_before_what_others_noticed_first() -> None:
    assert root_cause([NOTICED, RAISED]) is RAISED
    assert root_cause([NOTICED, KILLED]) is KILLED
    assert root_cause([NOTICED]) is NOTICED


def test_among_causes_the_first_counts() -> None:
    assert root_cause([KILLED, RAISED]) is KILLED


def test_a_lost_task_explains_more_than_a_broken_collective() -> None:
    lost = Failure(3, "c", "lost", "its Spark task went away")
    assert root_cause([NOTICED, lost]) is lost


def test_the_message_has_rank_host_and_the_ranks_own_traceback() -> None:
    text = explain([NOTICED, RAISED], 4)
    assert text.splitlines()[0] == "rank 2 of 4 on host b failed: ValueError: boom"
    assert "Traceback: boom" in text
    assert "Traceback: ring" not in text
    assert "rank 0 failed after it: HorovodInternalError" in text


def test_if_all_that_speak_only_waited_the_silent_ones_are_named() -> None:
    waited = Failure(0, "a", "collective", "waited more than 60 s for the other ranks in the sum")
    assert "not heard from: rank 1, 3;" in explain([waited, NOTICED, Failure(2, "b", "collective", "too")], 4)
    assert "not heard from" not in explain([RAISED], 4)


def test_a_killed_rank_shows_its_last_output() -> None:
    text = explain([KILLED], 2)
    assert "SIGKILL" in text
    assert "out-of-memory" in text
    assert "last words" in text


def test_failures_survive_the_line_to_the_driver() -> None:
    assert failure_from_message(KILLED.as_message()) == KILLED
    assert failure_from_message({}) == Failure(-1, "", "", "")
