"""How many ranks an attempt gets, and how attempts follow each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import NotEnoughSlotsError, RankFailedError, TrainingError
from training.failures import RankFailure
from training.launch import Elastic
from training.launch.restarts import run_with_restarts

BOOM = RankFailure(0, "a", "exception", "boom", "its traceback")


def failed(num_ranks: int) -> RankFailedError:
    return RankFailedError([BOOM], num_ranks)


def test_the_most_ranks_that_have_slots_and_divide_the_shards() -> None:
    elastic = Elastic(1, 8, shards=12)
    assert [elastic.choose(slots, 8) for slots in (1, 2, 3, 4, 5, 6, 7, 100)] == [1, 2, 3, 4, 4, 6, 6, 6]
    assert elastic.choose(100, wanted=4) == 4
    assert Elastic(1, 8).choose(7, 8) == 7


@given(low=st.integers(1, 20), span=st.integers(0, 20), shards=st.integers(1, 60), slots=st.integers(0, 50))
def test_laws(low: int, span: int, shards: int, slots: int) -> None:
    divisors = [number for number in range(low, low + span + 1) if shards % number == 0]
    if not divisors:
        with pytest.raises(TrainingError, match=f"divides train.canonical_shards = {shards};"):
            Elastic(low, low + span, shards)
        return
    elastic = Elastic(low, low + span, shards)
    if slots < divisors[0]:
        with pytest.raises(NotEnoughSlotsError, match=rf"there (is|are) {slots} slots? left.*min is {low}"):
            elastic.choose(slots, low + span)
        return
    chosen = elastic.choose(slots, low + span)
    assert low <= chosen <= min(slots, low + span)
    assert shards % chosen == 0
    assert not any(chosen < number <= slots for number in divisors)


def test_bounds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(TrainingError, match="min = 3, max = 2"):
        Elastic(3, 2)


def test_attempts_go_on_until_one_succeeds() -> None:
    lines: list[str] = []
    counts = [4, 2, 1]

    def attempt(num_ranks: int) -> str:
        if num_ranks > 1:
            raise failed(num_ranks)
        return "trained"

    assert run_with_restarts(attempt, counts.__getitem__, 5, lines.append) == "trained"
    assert lines == [
        "attempt 1 (4 ranks): rank 0 of 4 on host a failed: boom; restart 1 of 5",
        "attempt 2 (2 ranks): rank 0 of 2 on host a failed: boom; restart 2 of 5",
    ]


def test_an_error_after_no_restarts_is_as_it_was_and_after_some_lists_them() -> None:
    def attempt(_num_ranks: int) -> None:
        raise failed(1)

    with pytest.raises(RankFailedError) as caught:
        run_with_restarts(attempt, lambda _: 1, 0, print)
    assert str(caught.value) == str(failed(1))
    with pytest.raises(RankFailedError) as caught:
        run_with_restarts(attempt, lambda _: 1, 2, lambda _: None)
    assert str(caught.value).splitlines() == [
        *str(failed(1)).splitlines(),
        "all attempts failed:",
        *(f"attempt {number} (1 rank): rank 0 of 1 on host a failed: boom" for number in (1, 2, 3)),
    ]
    assert caught.value.cause == BOOM


def test_too_few_slots_after_a_failure_still_tell_the_failure() -> None:
    def attempt(_num_ranks: int) -> None:
        raise RankFailedError([RankFailure(0, "a", "lost", "its executor went away")], 2)

    def count_ranks(number: int) -> int:
        return Elastic(2, 2).choose(2 - number, 2)

    with pytest.raises(NotEnoughSlotsError) as caught:
        run_with_restarts(attempt, count_ranks, 3, lambda _: None)
    assert "there is 1 slot left" in str(caught.value)
    assert "attempt 1 (2 ranks): rank 0 of 2 on host a failed: its executor went away" in str(caught.value)


def test_what_another_attempt_cannot_mend_is_not_tried_again() -> None:
    calls: list[int] = []

    def attempt(num_ranks: int) -> None:
        calls.append(num_ranks)
        raise TrainingError("cannot be pickled")

    with pytest.raises(TrainingError, match="cannot be pickled"):
        run_with_restarts(attempt, lambda _: 2, 3, print)
    assert calls == [2]
    with pytest.raises(TrainingError, match="max_restarts must be at least 0, not -1"):
        run_with_restarts(attempt, lambda _: 2, -1, print)
