"""Ending a command at a moment that its output or its tables show."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.support.cli import environment


def end_when(
    args: list[str], log: Path, moment: str, how: signal.Signals, reached: Callable[[], bool]
) -> None:
    """Starts a command and ends it with a signal at a moment; nothing that it started may outlive it.

    Args:
        args: The command.
        log: File for its output.
        moment: Name of the moment, for messages.
        how: SIGKILL for the command alone, or SIGINT as a terminal sends it.
        reached: Whether the moment has come.
    """
    with log.open("w") as output:
        process = subprocess.Popen(
            args,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment(),
            cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,
        )
        deadline = time.monotonic() + 300
        while not reached():
            assert process.poll() is None, f"ended before {moment!r}:\n{log.read_text()[-4000:]}"
            assert time.monotonic() < deadline, f"never reached {moment!r}:\n{log.read_text()[-4000:]}"
            time.sleep(0.02)
        family = psutil.Process(process.pid).children(recursive=True)
        if how == signal.SIGINT:
            # A terminal sends it to every process of the command.
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=60)
        else:
            process.kill()
            process.wait()
    text = log.read_text()
    if how == signal.SIGINT:
        assert process.returncode == 130, text[-4000:]
        assert text.splitlines()[-1].startswith("ringlake: interrupted"), text[-4000:]
        assert "Traceback" not in text
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive, f"orphans of {moment!r}: {[p.cmdline() for p in alive]}"
