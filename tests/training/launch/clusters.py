"""Drivers and standalone clusters as real processes, and what a launch must not leave of them."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyspark

SCRIPT = Path(__file__).with_name("cluster_driver.py")

START_SECONDS = 180
"""For Spark to start, on a machine with other things to do."""

ANSWER_SECONDS = 240
"""For a launch to end; what it is held to is measured from the failure on."""


@dataclass
class Answer:
    """How a launch ended.

    Attributes:
        values: What the ranks returned.
        error: The message of the error, empty if there was none.
        kind: Its type.
        lines: What the launch said.
        seconds: From the failure, as a rank told its time, to the end; from the start if no rank did.
    """

    values: list[Any]
    error: str
    kind: str
    lines: list[str]
    seconds: float


@dataclass(frozen=True)
class Host:
    """Where a process of a cluster runs.

    Attributes:
        address: The address that Spark is told.
        prefix: Words before each command.
    """

    address: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()


HERE = Host()


class ClusterDriver:
    """A driver program on a cluster of its own, with a temporary folder of its own."""

    def __init__(
        self, folder: Path, master: str, conf: Mapping[str, str] | None = None, host: Host = HERE
    ) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        local = folder / "local"
        local.mkdir()
        self.log = folder / "driver.log"
        settings = {
            "spark.driver.host": host.address,
            "spark.driver.bindAddress": host.address,
            "spark.local.dir": str(local),
            "spark.executor.memory": "1g",
            "spark.worker.cleanup.enabled": "true",
            "spark.log.level": "ERROR",
            "spark.ui.showConsoleProgress": "false",
            **(conf or {}),
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *host.prefix,
                    sys.executable,
                    str(SCRIPT),
                    master,
                    *(f"{key}={value}" for key, value in settings.items()),
                ],
                env=environment(self.temporary, host),
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._seen: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        self._wait_for(lambda line: line == "@ready", START_SECONDS)
        self.launch("place", 1)
        self._listening = self.listening()

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self, body: str, ranks: int, *args: Any, **options: Any) -> None:
        """Start a launch."""
        assert self._process.stdin
        self._seen.clear()
        request = {"body": body, "ranks": ranks, "args": args, "options": options}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def wait_for_line(self, text: str, count: int = 1) -> None:
        """Wait until the launch has said that often a line with the text."""
        for _ in range(count):
            self._wait_for(lambda line: line.startswith("@line") and text in line, START_SECONDS)

    def end(self) -> Answer:
        """Wait for the end of the launch that was begun."""
        raw = json.loads(self._wait_for(lambda line: line.startswith("@done "), ANSWER_SECONDS)[6:])
        lines = [line[6:] for line in self._seen if line.startswith("@line ")]
        told = [float(line.rsplit(" ", 1)[1]) for line in lines if " killed at " in line]
        seconds = raw["end"] - (told[-1] if told else raw["begin"])
        return Answer(raw["values"], raw["error"], raw["kind"], lines, seconds)

    def launch(self, body: str, ranks: int, *args: Any, **options: Any) -> Answer:
        """Run a launch to its end."""
        self.begin(body, ranks, *args, **options)
        return self.end()

    def ranks(self) -> list[psutil.Process]:
        """All processes below this driver's cluster that are not Spark's own, orphans included."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TMPDIR") != str(self.temporary) or process.pid == self.pid:
                    continue
                spark = process.name() == "java" or is_daemon(process)
                if not spark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found

    def listening(self) -> set[tuple[str, int]]:
        """Where the driver's Python, tasks and ranks listen; JVMs and PySpark's daemons are Spark's."""
        found = set()
        for process in [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]:
            try:
                if process.name() == "java" or (is_daemon(process) and not is_daemon(process.parent())):
                    continue
                found |= {
                    (entry.laddr.ip, entry.laddr.port)
                    for entry in process.net_connections()
                    if entry.status == psutil.CONN_LISTEN
                }
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found

    def opened(self) -> set[tuple[str, int]]:
        """Where they listen since a launch has begun."""
        return self.listening() - self._listening

    def assert_nothing_is_left(self) -> None:
        """No rank, nothing that one started, no port, no temporary file."""
        _, alive = psutil.wait_procs(self.ranks(), timeout=5)
        assert alive == []
        assert self.opened() == set()
        assert list(self.temporary.iterdir()) == []

    def close(self) -> None:
        children = psutil.Process(self.pid).children(recursive=True) if self._process.poll() is None else []
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for process in psutil.wait_procs(children, timeout=20)[1]:
            process.kill()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _wait_for(self, wanted: Callable[[str], bool], seconds: float) -> str:
        while True:
            line = self._lines.get(timeout=seconds)
            assert line is not None, f"the driver ended: {self.log.read_text()[-4000:]}"
            self._seen.append(line)
            if wanted(line):
                return line


class Standalone:
    """A standalone master and workers, as processes that can be killed.

    Args:
        folder: For logs and work folders.
        num_workers: How many workers.
        cores: Cores of each.
        hosts: Where the master runs, and each worker; here if none are given.
    """

    def __init__(self, folder: Path, num_workers: int, cores: int = 1, hosts: Sequence[Host] = ()) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        hosts = hosts or [HERE] * (num_workers + 1)
        self.master = self._start(
            hosts[0], "master.Master", "master", [], r"Starting Spark master at (spark://\S+)"
        )
        self.workers = []
        for number in range(num_workers):
            arguments = [
                "--cores",
                str(cores),
                "--memory",
                "1g",
                "--work-dir",
                str(folder / f"work{number}"),
                self.master,
            ]
            self._start(
                hosts[number + 1],
                "worker.Worker",
                f"worker{number}",
                arguments,
                r"Successfully registered with master (\S+)",
            )
            self.workers.append(psutil.Process(self._processes[-1].pid))

    def kill_worker(self, number: int) -> None:
        """Kill -9 a worker and its executor, as if the machine had gone."""
        worker = self.workers[number]
        for process in [worker, *(child for child in worker.children() if "java" in child.name())]:
            process.kill()

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(self, host: Host, name: str, log: str, arguments: list[str], pattern: str) -> str:
        command = [
            *host.prefix,
            str(Path(pyspark.__file__).parent / "bin" / "spark-class"),
            f"org.apache.spark.deploy.{name}",
        ]
        path = self._folder / f"{log}.log"
        with path.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--host", host.address, "--port", "0", "--webui-port", "0", *arguments],
                env=environment(self._folder / "tmp", host),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        for _ in range(START_SECONDS * 10):
            found = re.search(pattern, path.read_text(errors="replace"))
            if found:
                return found.group(1)
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            break
        raise AssertionError(f"{name} did not start: {path.read_text(errors='replace')[-4000:]}")


def environment(temporary: Path, host: Host = HERE) -> dict[str, str]:
    """Variables of a driver or cluster process: our sources and Python, a temporary folder to look into."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "PYSPARK_PYTHON": sys.executable,
        "TMPDIR": str(temporary),
        "SPARK_LOCAL_IP": host.address,
    }


def is_daemon(process: psutil.Process | None) -> bool:
    """Whether it is PySpark's daemon or one of the workers that it forks for tasks."""
    return process is not None and "pyspark.daemon" in process.cmdline()
