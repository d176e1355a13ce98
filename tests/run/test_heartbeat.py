"""A stage that says nothing is shown to be alive; one that speaks is not talked over."""

from __future__ import annotations

import io
import time

import pytest

from pipelines.console import console as module
from pipelines.console.console import Console
from pipelines.console.heartbeat import Heartbeat


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_SECONDS", 0.1)


def test_silence_is_broken() -> None:
    stream = io.StringIO()
    with Heartbeat(Console(stream), "report", silence_seconds=0.2):
        time.sleep(1.5)
    lines = stream.getvalue().splitlines()
    assert len(lines) >= 2
    assert set(lines) <= {f"  report: {seconds} s, at work" for seconds in (0, 1, 2)}


def test_a_stage_that_speaks_is_left_alone() -> None:
    stream = io.StringIO()
    console = Console(stream)
    with Heartbeat(console, "train", silence_seconds=2.0):
        for step in range(20):
            console.say(f"step {step}")
            time.sleep(0.05)
    assert stream.getvalue().splitlines() == [f"step {step}" for step in range(20)]


def test_it_ends_with_its_stage_and_lets_errors_through() -> None:
    stream = io.StringIO()
    with (
        pytest.raises(RuntimeError, match="boom"),
        Heartbeat(Console(stream), "pack", silence_seconds=0.1),
    ):
        raise RuntimeError("boom")
    time.sleep(0.5)
    assert stream.getvalue() == ""
