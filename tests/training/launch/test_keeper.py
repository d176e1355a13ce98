"""A rank's processes end with the one that started them, and only then."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from training.launch.keeper import Keeper

STARTER = """
import os, signal, subprocess, sys, time
from training.launch.keeper import Keeper

script = ["sh", "-c", "sleep 600 & echo $!; wait"]
leader = subprocess.Popen(script, start_new_session=True, stdout=subprocess.PIPE)
keeper = Keeper(leader.pid)
print(leader.pid, leader.stdout.readline().decode().strip(), keeper._process.pid, flush=True)
time.sleep(600)
"""


def test_kill_9_of_the_starter_ends_the_whole_group() -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True)
    assert starter.stdout
    processes = [psutil.Process(int(pid)) for pid in starter.stdout.readline().split()]
    assert len(processes) == 3
    starter.kill()
    starter.wait()
    starter.stdout.close()
    assert psutil.wait_procs(processes, timeout=30)[1] == []


def test_a_dismissed_keeper_ends_and_kills_nothing() -> None:
    leader = subprocess.Popen(["sleep", "600"], start_new_session=True)
    keeper = Keeper(leader.pid)
    keeper.dismiss()
    assert keeper._process.returncode == 0
    with pytest.raises(subprocess.TimeoutExpired):
        leader.wait(0.5)
    leader.kill()
    leader.wait()
