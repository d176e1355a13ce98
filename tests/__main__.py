"""`python -m tests [--full] [ARGUMENTS OF PYTEST]`: the suite in two processes at once, or what is asked for.

With --full the tests marked `rare` run as well, which take long and seldom break.

Much of the suite waits for processes to start, to meet and to be noticed when they are gone, and what
computes does so on one core, so that two halves side by side take far less time than one after the other.
Each half has its own Spark session; no test of one uses what a test of the other makes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]

FIRST = (
    *("tests/cluster", "tests/training", "tests/benchmarks", "tests/bundle", "tests/cli", "tests/setup"),
    *("tests/dedup", "tests/ingest", "tests/demo", "tests/notebooks"),
)
"""Folders of the first half, whose output is shown as it comes; the second half is all others."""

FULL = "--full"

SLOWEST = ["--durations=25", "--durations-min=10"]
"""What takes long is told at the end, so that it is seen when it grows."""

LEAST_BYTES = 12 * 2**30
"""Memory for two Spark sessions beside a cluster; a machine with less runs the suite in one process."""


def halves() -> list[list[str]]:
    """Arguments of pytest for each half."""
    return [list(FIRST), ["tests", *(f"--ignore={folder}" for folder in FIRST)]]


def run_side_by_side(commands: Sequence[Sequence[str]]) -> int:
    """Run programs at once; the output of the first is shown as it comes, that of each other one after it.

    Returns:
        The first exit code that is not 0, in their order.
    """
    with tempfile.TemporaryDirectory(prefix="ringlake-tests-") as folder:
        logs = [Path(folder, str(number)) for number in range(1, len(commands))]
        processes = [subprocess.Popen(commands[0])]
        for command, log in zip(commands[1:], logs, strict=True):
            with log.open("wb") as output:
                processes.append(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT))
        codes = [_wait(processes[0])]
        for process, log in zip(processes[1:], logs, strict=True):
            if process.poll() is None:
                print("\nthe other half of the suite is still running ...", flush=True)
            codes.append(_wait(process))
            sys.stdout.buffer.write(log.read_bytes())
            sys.stdout.flush()
    return next((code for code in codes if code), 0)


def _wait(process: subprocess.Popen[bytes]) -> int:
    # Ctrl-C reaches the programs as well; each ends as it does and is waited for.
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def main(arguments: list[str]) -> int:
    """Runs pytest as asked, or both halves."""
    pytest = [sys.executable, "-m", "pytest"]
    if arguments and arguments[0] == FULL:
        arguments = arguments[1:]
        pytest += ["-m", "not full"]
    pytest += SLOWEST
    is_small = (os.cpu_count() or 1) < 2 or psutil.virtual_memory().total < LEAST_BYTES
    os.chdir(ROOT)
    if arguments or is_small:
        return _wait(subprocess.Popen([*pytest, *arguments]))
    return run_side_by_side([[*pytest, *half] for half in halves()])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
