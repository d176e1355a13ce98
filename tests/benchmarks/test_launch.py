"""The launch benchmark splits times and summarises rounds as it says."""

from __future__ import annotations

import pytest

from benchmarks.launch import in_turn, phases, summary


def test_phases_add_up_to_the_time_from_the_call() -> None:
    found = phases(10.0, {"function": 12.0, "import": 15.5, "init": 16.0, "all-reduce": 16.25})
    assert found == {"to function": 2.0, "import": 3.5, "init": 0.5, "all-reduce": 0.25, "total": 6.25}


def test_the_first_round_is_shown_apart_from_the_median() -> None:
    rounds = [{"total": 30.0, "init": 3.0}, *({"total": total, "init": 1.0} for total in (5.0, 9.0, 6.0))]
    assert summary(rounds) == {
        "first": 30.0,
        "median": {"total": 6.0, "init": 1.0},
        "fastest": 5.0,
        "slowest": 9.0,
    }


@pytest.mark.parametrize(("number", "first"), [(0, "a"), (1, "b"), (2, "c"), (3, "a")])
def test_each_round_begins_with_the_next_launcher(number: int, first: str) -> None:
    order = in_turn(["a", "b", "c"], number)
    assert order[0] == first
    assert sorted(order) == ["a", "b", "c"]
