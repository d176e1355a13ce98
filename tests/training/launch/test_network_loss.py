"""A machine that loses power or network says nothing: both ends of a line notice, whether they talk or not.

Two network namespaces are joined by a bridge in a third, and the bridge goes down: packets vanish, no
interface of the two sees anything. This needs Linux, root and iproute2.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PEER = Path(__file__).with_name("line_peer.py")
ROOT = Path(__file__).parents[3]
LIMIT_SECONDS = 30.0


def ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True)


@pytest.fixture
def network() -> Iterator[tuple[str, str, str]]:
    """Namespaces of the driver, of the tasks, and of the bridge `wire` between them."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs Linux, root and the ip command of iproute2")
    stem = f"ringlake-{os.getpid()}"
    names = (f"{stem}-driver", f"{stem}-tasks", f"{stem}-wire")
    try:
        try:
            for name in names:
                ip("netns", "add", name)
            ip("-n", names[2], "link", "add", "wire", "type", "bridge")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this machine makes no network namespaces: {error.stderr.strip()}")
        ip("-n", names[2], "link", "set", "wire", "up")
        for number, name in enumerate(names[:2], start=1):
            ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"port{number}")
            ip("-n", name, "link", "set", f"port{number}", "netns", names[2])
            ip("-n", names[2], "link", "set", f"port{number}", "master", "wire", "up")
            ip("-n", name, "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def start(namespace: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["ip", "netns", "exec", namespace, sys.executable, str(PEER), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout
    found: dict[str, Any] = json.loads(process.stdout.readline() or "{}")
    return found


def test_both_ends_notice_a_network_that_is_gone(network: tuple[str, str, str]) -> None:
    driver = start(network[0], "driver", "10.77.0.1")
    tasks = [start(network[1], "task", "0", "silent"), start(network[1], "task", "1", "chatty")]
    try:
        endpoint = said(driver)
        for rank, task in enumerate(tasks):
            assert task.stdin
            task.stdin.write(json.dumps(endpoint) + "\n")
            task.stdin.flush()
            assert said(task) == {"connected": rank}
        time.sleep(1)
        ip("-n", network[2], "link", "set", "wire", "down")
        gone = time.monotonic()
        assert [said(task) for task in tasks] == [{"ended": 0}, {"ended": 1}]
        assert sorted(said(driver)["ended"] for _ in tasks) == [0, 1]
        assert time.monotonic() - gone < LIMIT_SECONDS
    finally:
        for process in (driver, *tasks):
            process.kill()
            process.communicate()
