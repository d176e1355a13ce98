"""The recovery benchmark splits the time after a kill as it says."""

from __future__ import annotations

import pytest

from benchmarks.recovery import split


def test_phases_add_up_and_end_at_the_step_that_had_been_reached() -> None:
    first = [(1.0, 1), (2.0, 2), (3.0, 3), (4.0, 4)]
    again = [(12.0, 3), (13.5, 4), (14.0, 5)]
    assert split(4.5, 6.0, first + again) == {
        "detection": 1.5,
        "relaunch": 6.0,
        "repeated steps": 1.5,
        "total": 9.0,
        "steps repeated": 2.0,
    }


def test_a_training_that_was_not_interrupted_or_did_not_come_back_is_no_measurement() -> None:
    with pytest.raises(RuntimeError, match="without a kill"):
        split(None, None, [(1.0, 1)])
    with pytest.raises(RuntimeError, match="step 4 again"):
        split(4.5, 6.0, [(4.0, 4), (12.0, 3)])
