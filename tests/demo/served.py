"""The command `ringlake demo` in a process of its own, which notes every address that it connects to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.cli import environment

ROOT = Path(__file__).resolve().parents[2]

_PROGRAM = """
import sys, time
notes, pause = open(sys.argv[1], "a"), float(sys.argv[2])

def note(event, values):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        notes.write(f"{event} {values[1:] if event != 'socket.getaddrinfo' else values}\\n")
        notes.flush()

sys.addaudithook(note)
if pause:
    # As slow as a model of some size.
    from transformers import LlamaForCausalLM
    forward = LlamaForCausalLM.forward
    LlamaForCausalLM.forward = lambda *args, **more: (time.sleep(pause), forward(*args, **more))[1]
from pipelines.cli.main import main
main(sys.argv[3:])
"""


@dataclass(frozen=True)
class Served:
    """A page that is served.

    Attributes:
        url: Its address.
        port: Its port.
        process: What serves it.
        notes: File of the addresses that it connected to or looked up.
    """

    url: str
    port: int
    process: subprocess.Popen[str]
    notes: Path

    def interrupt(self) -> tuple[int, str]:
        """Presses Ctrl-C: the exit code, and what the command has printed."""
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=120)
        return self.process.returncode, out

    def listening(self) -> list[tuple[str, int]]:
        """Address and port of every socket on which the process listens."""
        inodes = set()
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            name = str(link.readlink())
            if name.startswith("socket:["):
                inodes.add(name[8:-1])
        found = []
        for family in ("tcp", "tcp6"):
            for line in Path(f"/proc/{self.process.pid}/net/{family}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in inodes:
                    raw, port = fields[1].split(":")
                    words = [bytes.fromhex(raw[i : i + 8])[::-1] for i in range(0, len(raw), 8)]
                    kind = socket.AF_INET if family == "tcp" else socket.AF_INET6
                    found.append((socket.inet_ntop(kind, b"".join(words)), int(port, 16)))
        return found


@contextmanager
def served(model: Path, site: Path, folder: Path, *options: str, pause: float = 0) -> Iterator[Served]:
    """A page, once it is there.

    Args:
        model: Model folder.
        site: Folder of the library.
        folder: For what the process writes.
        options: Further options of the command.
        pause: Seconds that each token takes longer.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    notes = folder / "notes"
    notes.write_text("")
    words = ["demo", str(model), "--port", str(port), *options]
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(notes), str(pause), *words],
        stdout=subprocess.PIPE,
        stderr=(folder / "errors").open("w"),
        text=True,
        cwd=folder,
        env=environment(
            PYTHONPATH=f"{ROOT}{os.pathsep}{site}", PYTHONUNBUFFERED="1", GRADIO_ALLOWED_PATHS="/"
        ),
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "errors").read_text()
        assert f"http://127.0.0.1:{port}/" in line
        _until_it_answers(port)
        yield Served(f"http://127.0.0.1:{port}/", port, process, notes)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _until_it_answers(port: int) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as asked:
                asked.sendall(f"HEAD / HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
                if asked.recv(100).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass
        assert time.monotonic() < deadline, "the page does not answer"
        time.sleep(0.1)


def status(port: int, method: str, path: str, body: bytes = b"", host: str = "") -> int:
    """The status of a request."""
    from http.client import HTTPConnection

    asked = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Host": host or f"127.0.0.1:{port}", "Content-Type": "application/json"}
    asked.request(method, path, body, headers)
    found = asked.getresponse().status
    asked.close()
    return found


def json_body(**values: object) -> bytes:
    return json.dumps(values).encode()
