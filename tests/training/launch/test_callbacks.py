"""Callers whose `say` or `on_event` stands still or raises: ranks wait, the error tells the true cause."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.support.ranks import ranks_of_this_process
from tests.training.launch.clusters import environment
from training.errors import CallbackError, RankFailedError
from training.launch import LaunchOptions, launch, launch_local
from training.launch.connection import KEEPALIVE_PROBES, KEEPALIVE_SECONDS
from training.launch.delivery import WINDOW_BYTES

Launch = Callable[..., list[Any]]

UNREAD_SECONDS = KEEPALIVE_SECONDS * (1 + KEEPALIVE_PROBES)
"""After so long a task gives up a driver that does not read."""

LINE_CHARS = 1000
NUM_LINES = 8 * WINDOW_BYTES // LINE_CHARS

PIPES_BYTES = 1 << 20
"""What may be under way besides the window: the pipe (64 KiB on Linux) and the buffers of both its ends."""


@pytest.fixture(params=["launch", "launch_local"])
def start(request: pytest.FixtureRequest) -> Launch:
    """Each launcher, called alike."""
    if request.param == "launch":
        return partial(launch, spark=request.getfixturevalue("spark"))
    return launch_local


@pytest.fixture
def standing() -> Iterator[threading.Event]:
    """For a callback that never returns: set when the test is over, so that no thread stays."""
    event = threading.Event()
    yield event
    event.set()


def flood(progress: str) -> str:
    """Print as fast as one may, and note in a file how far one is."""
    import os

    with open(progress, "wb", buffering=0) as file:  # noqa: PTH123
        for number in range(NUM_LINES):
            print(f"{number:<{LINE_CHARS - 1}}", flush=True)
            os.pwrite(file.fileno(), str(number + 1).encode(), 0)
    return "through"


def flood_under_a_standing_console(start: Launch, folder: Path, seconds: float) -> None:
    """A console that stands still for some seconds holds the rank back, and costs no line."""
    progress = folder / "progress"
    numbers: list[int] = []
    held: list[str] = []

    def say(line: str) -> None:
        if not numbers:
            time.sleep(seconds - 1)
            held.append(progress.read_text())
            time.sleep(1)
            held.append(progress.read_text())
        numbers.append(int(line.removeprefix("[rank 0] ")))

    assert start(flood, 1, args=(str(progress),), options=LaunchOptions(say=say)) == ["through"]
    assert numbers == list(range(NUM_LINES))
    assert held[0] == held[1]
    assert WINDOW_BYTES // 2 < int(held[0]) * LINE_CHARS < WINDOW_BYTES + PIPES_BYTES


def test_a_console_that_stands_still_holds_the_rank_back(start: Launch, tmp_path: Path) -> None:
    flood_under_a_standing_console(start, tmp_path, 4.0)


@pytest.mark.rare
@pytest.mark.slow
def test_a_console_may_stand_still_for_longer_than_a_peer_may_leave_data_unread(
    spark: SparkSession, tmp_path: Path
) -> None:
    flood_under_a_standing_console(partial(launch, spark=spark), tmp_path, UNREAD_SECONDS + 8.0)


def fail_beside_a_flood() -> None:
    """Rank 0 prints more than the window holds; then rank 1 fails."""
    import time

    from training.launch import current_rank

    if current_rank().rank == 0:
        for _ in range(3 * 1024):
            print("x" * 1024)
        time.sleep(600)
    time.sleep(1)
    raise ValueError("the true cause")


def test_a_ranks_failure_is_told_though_the_console_never_goes_on(
    start: Launch, standing: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.launch.job.PATIENCE_SECONDS", 1.0)

    def say(_line: str) -> None:
        standing.wait(600)

    began = time.monotonic()
    with pytest.raises(RankFailedError, match=r"^rank 1 of 2 .*ValueError: the true cause") as caught:
        start(fail_beside_a_flood, 2, options=LaunchOptions(say=say))
    assert time.monotonic() - began < 60
    assert "not all output of the ranks could be shown" in str(caught.value)
    assert "went away" not in str(caught.value)
    assert ranks_of_this_process() == []


def report_for_ever() -> None:
    """Print and report without an end."""
    import time

    from training.launch import emit

    while True:
        print("a line", flush=True)
        emit({"step": 1})
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["say", "on_event"])
def test_what_a_callback_raises_is_the_cause(start: Launch, name: str) -> None:
    def broken(*_args: Any) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    options: dict[str, Any] = {"say": lambda _line: None, name: broken}
    began = time.monotonic()
    with pytest.raises(CallbackError) as caught:
        start(report_for_ever, 2, options=LaunchOptions(**options))
    assert time.monotonic() - began < 60
    assert str(caught.value).startswith(
        f"{name}, which the driver calls with what ranks send, raised BrokenPipeError: [Errno 32] Broken pipe"
    )
    assert isinstance(caught.value.__cause__, BrokenPipeError)
    assert "went away" not in str(caught.value)
    assert ranks_of_this_process() == []


def test_an_exit_in_a_callback_stays_an_exit(start: Launch) -> None:
    def leave(_line: str) -> None:
        sys.exit(9)

    with pytest.raises(SystemExit) as caught:
        start(report_for_ever, 1, options=LaunchOptions(say=leave))
    assert caught.value.code == 9
    assert ranks_of_this_process() == []


_PIPED = """
import sys
from training.launch import launch, launch_local

def body():
    import time
    while True:
        print("a line", flush=True)
        time.sleep(0.01)

if sys.argv[1] == "launch_local":
    launch_local(body, 2)
else:
    from pyspark.sql import SparkSession
    settings = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    launch(body, 2, spark=SparkSession.builder.master("local[2]").config(map=settings).getOrCreate())
"""


@pytest.mark.parametrize(
    "name", [pytest.param("launch", marks=[pytest.mark.slow, pytest.mark.rare]), "launch_local"]
)
def test_a_reader_that_closes_the_pipe_ends_the_script_with_the_cause(name: str, tmp_path: Path) -> None:
    script, errors = tmp_path / "script.py", tmp_path / "errors"
    script.write_text(_PIPED)
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, script, name],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment(tmp_path),
        ) as driver,
    ):
        assert driver.stdout
        assert driver.stdout.readline().endswith("] a line\n")
        driver.stdout.close()
        assert driver.wait(120) != 0
    told = errors.read_text()
    assert "CallbackError: say, which the driver calls with what ranks send, raised BrokenPipeError" in told
    assert "went away" not in told
