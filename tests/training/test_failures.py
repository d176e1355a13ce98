"""The error names the rank that broke, not one that noticed it."""

from __future__ import annotations

import pickle
import signal

from training.errors import RankFailedError
from training.failures import RankFailure, describe_exit, explain, failure_from_message, root_cause

NOTICED = RankFailure(
    0, "a", "collective", "HorovodInternalError: Connection reset by peer", "Traceback: ring"
)
RAISED = RankFailure(2, "b", "exception", "ValueError: boom", "Traceback: boom")
KILLED = RankFailure(1, "b", "exit", describe_exit(-signal.SIGKILL), output="last words")


def test_a_cause_comes_before_what_others_noticed_first() -> None:
    assert root_cause([NOTICED, RAISED]) is RAISED
    assert root_cause([NOTICED, KILLED]) is KILLED
    assert root_cause([NOTICED]) is NOTICED


def test_among_causes_the_first_counts() -> None:
    assert root_cause([KILLED, RAISED]) is KILLED


def test_a_lost_task_explains_more_than_a_broken_collective() -> None:
    lost = RankFailure(3, "c", "lost", "its Spark task went away")
    assert root_cause([NOTICED, lost]) is lost


def test_the_message_has_rank_host_and_the_ranks_own_traceback() -> None:
    text = explain([NOTICED, RAISED], 4)
    assert text.splitlines()[0] == "rank 2 of 4 on host b failed: ValueError: boom"
    assert "Traceback: boom" in text
    assert "Traceback: ring" not in text
    assert "rank 0 failed after it: HorovodInternalError" in text


def test_if_all_that_speak_only_waited_the_silent_ones_are_named() -> None:
    waited = RankFailure(0, "a", "collective", "waited more than 60 s for the other ranks in the sum")
    assert "not heard from: rank 1, 3;" in explain(
        [waited, NOTICED, RankFailure(2, "b", "collective", "too")], 4
    )
    assert "not heard from" not in explain([RAISED], 4)


def test_a_killed_rank_shows_its_last_output() -> None:
    text = explain([KILLED], 2)
    assert "SIGKILL" in text
    assert "out-of-memory" in text
    assert "last words" in text


def test_failures_survive_the_line_to_the_driver() -> None:
    assert failure_from_message(KILLED.as_message()) == KILLED
    assert failure_from_message({}) == RankFailure(-1, "", "lost", "")


def test_the_error_keeps_every_failure_and_says_which_is_the_cause() -> None:
    error = RankFailedError([NOTICED, RAISED], 4)
    assert error.failures == (NOTICED, RAISED)
    assert error.cause is RAISED
    assert error.headline == "rank 2 of 4 on host b failed: ValueError: boom"
    assert str(error) == explain([NOTICED, RAISED], 4)


def test_what_is_noted_of_an_error_leaves_its_failures_alone() -> None:
    error = RankFailedError([KILLED], 2, ["first"]).noting("second", "third")
    assert error.failures == (KILLED,)
    assert str(error) == f"{explain([KILLED], 2)}\nfirst\nsecond\nthird"


def test_the_error_can_be_pickled() -> None:
    error = RankFailedError([KILLED], 2, ["first"])
    found = pickle.loads(pickle.dumps(error))
    assert (found.failures, found.num_ranks, found.notes) == ((KILLED,), 2, ("first",))
    assert str(found) == str(error)
