"""A process whose lease is another's, or soon may be, ends at once, whatever its main thread waits for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.lake.lease import LOCK_FILE, LOST_EXIT_CODE

HOLDER = """
import signal, socket, sys
from pipelines.lake.lease import held_by_lease
from ringlake.base.storage import Folder

signal.signal(signal.SIGINT, signal.SIG_IGN if sys.argv[2] == "deaf" else signal.default_int_handler)
here, there = socket.socketpair()
with held_by_lease(Folder(sys.argv[1]), renew_seconds=0.2, expire_seconds=float(sys.argv[3])):
    print("held", flush=True)
    here.recv(1)
"""


def hold(folder: Path, kind: str, expire: float) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), kind, str(expire)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    return holder


@pytest.mark.parametrize("kind", ["waiting", "deaf"])
def test_a_holder_whose_lease_was_taken_over_ends(tmp_path: Path, kind: str) -> None:
    holder = hold(tmp_path, kind, 600)
    (tmp_path / "other").write_text(json.dumps({"token": "another's", "host": "node-2", "process": 7}))
    (tmp_path / "other").replace(tmp_path / LOCK_FILE)
    _, said = holder.communicate(timeout=60)
    assert "was taken over by process 7 on node-2" in said
    assert holder.returncode != 0
    if kind == "deaf":
        assert holder.returncode == LOST_EXIT_CODE
    assert "another's" in (tmp_path / LOCK_FILE).read_text()


def test_a_holder_that_cannot_renew_ends_before_another_may_take_over(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    folder.mkdir()
    holder = hold(folder, "waiting", 3)
    folder.rename(tmp_path / "gone")
    folder.write_text("no folder")
    _, said = holder.communicate(timeout=60)
    assert "its lock was not renewed for" in said
    assert holder.returncode != 0


TAKER = """
import sys, time
from pipelines.lake.lease import held_by_lease
from ringlake.base.storage import Folder

with held_by_lease(Folder(sys.argv[1]), renew_seconds=2, expire_seconds=2):
    time.sleep(1.4)  # its watch has looked once, its first renewal has not come
print("done")
"""


def test_a_lease_taken_over_counts_from_when_it_was_taken(tmp_path: Path) -> None:
    """Not from when its former holder's end was first waited for, which is longer ago than a lease lasts."""
    gone = {"token": "another's", "host": "node-2", "process": 7, "beat": 3}
    (tmp_path / LOCK_FILE).write_text(json.dumps(gone))
    done = subprocess.run(
        [sys.executable, "-c", TAKER, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert "the lake is held by process 7 on node-2" in done.stderr
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert not (tmp_path / LOCK_FILE).exists()
