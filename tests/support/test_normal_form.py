"""Normal form C: Unicode's own, in linear time."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.text.normal_form import LONG_RUN, has_long_run, nfc
from pipelines.text.repair import repair

MARKS = "\u0301\u0323\u0334\u0345\u05b0\u0e38\u3099\u0f71\u0f72\u0f73\u0344\u302a\U0001d165"
STARTERS = "ae\u1ebf\u1100\u1161\u11a8\uac00\u0915\u09c7\u09be\u0dd9\u0dcf"
RUNS = st.lists(
    st.one_of(
        st.text(alphabet=MARKS, min_size=LONG_RUN, max_size=3 * LONG_RUN), st.text(alphabet=STARTERS + MARKS)
    ),
    max_size=4,
).map("".join)


@given(RUNS)
def test_it_is_the_normal_form_of_the_library(text: str) -> None:
    assert nfc(text) == unicodedata.normalize("NFC", text)


@given(st.text(alphabet=MARKS + STARTERS, max_size=100), st.integers(LONG_RUN, 2 * LONG_RUN))
def test_a_long_run_is_found_wherever_it_stands(before: str, length: int) -> None:
    assert has_long_run(before + "\u0301" * length + "a")
    assert not has_long_run("a\u0301" * 200)


@pytest.mark.parametrize("marks", ["\u0301\u0323", MARKS, "\u0f73\u0344\u0323"])
def test_time_is_linear_in_runs_of_marks(marks: str) -> None:
    def seconds(size: int) -> float:
        text = "e" + marks * (size // len(marks))
        took = []
        for _ in range(2):
            start = time.process_time()
            repair(text)
            took.append(time.process_time() - start)
        return min(took)

    # Four times the length takes four times as long, not sixteen times.
    assert seconds(160_000) < 9 * seconds(40_000)
