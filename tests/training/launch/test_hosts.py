"""Spark standalone over three hosts: namespaces with addresses of their own, joined by a switch.

The hosts have what real ones have: a name that leads to loopback, a second network that the others cannot
reach, a line that is slow and loses packets, and an end. This needs Linux, root and iproute2.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.training.launch.clusters import ClusterDriver, Host, Standalone
from training.launch.host_name import keeps_the_interface

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.rare, pytest.mark.timeout(900)]

LINE = Path(__file__).with_name("slow_line.py")

NET = "10.78.0"
"""The network that joins the hosts."""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True)


class Hosts:
    """The namespaces, the first one for master and driver."""

    def __init__(self, count: int) -> None:
        stem = f"rl{os.getpid()}"
        self.wire = f"{stem}w"
        self.names = [f"{stem}h{number}" for number in range(count)]
        self.hosts = [
            Host(f"{NET}.{number}", ("ip", "netns", "exec", name))
            for number, name in enumerate(self.names, start=1)
        ]

    def create(self) -> None:
        ip("netns", "add", self.wire)
        ip("-n", self.wire, "link", "add", "switch", "type", "bridge")
        ip("-n", self.wire, "link", "set", "switch", "up")
        for number, (name, host) in enumerate(zip(self.names, self.hosts, strict=True), start=1):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
            # The network of the others comes second, behind one that nobody else is in.
            ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"lonely{number}")
            ip("-n", name, "link", "set", f"lonely{number}", "netns", self.wire)
            ip("-n", self.wire, "link", "set", f"lonely{number}", "up")
            ip("-n", name, "address", "add", f"10.79.{number}.1/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "add", "eth1", "type", "veth", "peer", "name", f"port{number}")
            ip("-n", name, "link", "set", f"port{number}", "netns", self.wire)
            ip("-n", self.wire, "link", "set", f"port{number}", "master", "switch", "up")
            ip("-n", name, "address", "add", f"{host.address}/24", "dev", "eth1")
            ip("-n", name, "link", "set", "eth1", "up")
            # What this machine is called leads to loopback on one host, to the lonely network on another.
            led = "127.0.1.1" if number % 2 else f"10.79.{number}.1"
            files = Path("/etc/netns") / name
            files.mkdir(parents=True)
            (files / "hosts").write_text(f"127.0.0.1 localhost\n{led} {socket.gethostname()}\n")

    def lose(self, number: int) -> None:
        """The host loses its power: nobody hears of it again, and all on it is gone."""
        ip("-n", self.wire, "link", "set", f"port{number + 1}", "down")
        found = subprocess.run(
            ["ip", "netns", "pids", self.names[number]], capture_output=True, text=True, check=True
        )
        for pid in found.stdout.split():
            subprocess.run(["kill", "-9", pid], check=False)

    @contextmanager
    def slow(self, number: int, delay_ms: float, loss_percent: float) -> Iterator[None]:
        """Packets to and from a host are late, or get lost."""
        port, inside, outside = f"port{number + 1}", "slow0", "slow1"
        here = ["ip", "netns", "exec"]
        for name, interface in ((self.names[number], "eth1"), (self.wire, port)):
            without = [*here, name, sys.executable, str(LINE), "--without-offload", interface]
            subprocess.run(without, check=True)
        ip("-n", self.wire, "link", "add", inside, "type", "veth", "peer", "name", outside)
        for interface in (inside, outside):
            without = [*here, self.wire, sys.executable, str(LINE), "--without-offload", interface]
            subprocess.run(without, check=True)
            ip("-n", self.wire, "link", "set", interface, "up")
        ip("-n", self.wire, "link", "set", port, "nomaster")
        ip("-n", self.wire, "link", "set", outside, "master", "switch")
        words = [sys.executable, str(LINE), port, inside, str(delay_ms), str(loss_percent)]
        line = subprocess.Popen(
            [*here, self.wire, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert line.stdout and line.stdin
            assert line.stdout.readline() == "@ready\n"
            yield
            assert line.poll() is None
        finally:
            line.communicate()
            ip("-n", self.wire, "link", "delete", inside)
            ip("-n", self.wire, "link", "set", port, "master", "switch")

    def remove(self) -> None:
        for name in (*self.names, self.wire):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
            shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs Linux, root and the ip command of iproute2")
    hosts = Hosts(3)
    try:
        try:
            hosts.create()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this machine makes no network namespaces: {error.stderr.strip()}")
        yield hosts
    finally:
        hosts.remove()


@pytest.fixture(scope="module")
def cluster(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    cluster = Standalone(tmp_path_factory.mktemp("hosts"), 2, cores=2, hosts=hosts.hosts)
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def driver(
    hosts: Hosts, cluster: Standalone, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterDriver]:
    # A host that is gone is noticed after 20 s instead of Spark's two minutes.
    quick = {
        "spark.network.timeout": "20s",
        "spark.network.timeoutInterval": "5s",
        "spark.executor.heartbeatInterval": "4s",
    }
    driver = ClusterDriver(tmp_path_factory.mktemp("driver"), cluster.master, quick, hosts.hosts[0])
    yield driver
    driver.close()


@pytest.fixture(scope="module", autouse=True)
def needs_a_mended_horovod() -> None:
    assert keeps_the_interface(), "the Horovod here goes by the hosts' names: set up again"


def test_four_ranks_on_two_hosts_find_the_network_that_joins_them(driver: ClusterDriver) -> None:
    answer = driver.launch("reduce_over", 4, 3, 1000)
    assert answer.error == "", answer.lines
    assert [value["total"] for value in answer.values] == [4.0] * 4
    assert {value["interface"] for value in answer.values} == {"eth1"}
    (server,) = {value["server"] for value in answer.values}
    assert server in (f"{NET}.2", f"{NET}.3")


def test_a_slow_line_that_loses_packets_hangs_nothing(hosts: Hosts, driver: ClusterDriver) -> None:
    with hosts.slow(2, 20, 1):
        answer = driver.launch("reduce_over", 4, 10, 100_000)
    assert answer.error == "", answer.lines
    assert [value["total"] for value in answer.values] == [4.0] * 4


def test_a_host_that_loses_its_power_is_done_without(
    hosts: Hosts, driver: ClusterDriver, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    driver.begin("reduce_over", 4, 5, 1000, str(gate), max_restarts=4, elastic=[2, 4])
    driver.wait_for_line("up", 4)
    hosts.lose(2)
    gate.touch()
    answer = driver.end()
    assert answer.error == "", answer.lines
    assert [value["total"] for value in answer.values] == [2.0] * 2
    assert {value["interface"] for value in answer.values} <= {"eth1", "lo"}
    assert any(line.startswith("attempt 1 (4 ranks): rank ") for line in answer.lines), answer.lines
