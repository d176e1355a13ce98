"""One end of the line between driver and task, as a process.

    python line_peer.py driver ADDRESS
    python line_peer.py task RANK chatty|silent

It prints a line when the connection stands and one when it has ended.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from dataclasses import asdict

from training.launch.channel import DriverServer, Endpoint, connect


def say(**words: object) -> None:
    print(json.dumps(words), flush=True)


def driver(address: str) -> None:
    ended: queue.Queue[int] = queue.Queue()
    server = DriverServer(address, address, 2, lambda _rank, _message: None, ended.put)
    say(**asdict(server.endpoint))
    for _ in range(2):
        say(ended=ended.get())


def task(rank: int, *, chatty: bool) -> None:
    line = connect(Endpoint(**json.loads(sys.stdin.readline())), rank)
    say(connected=rank)

    def chat() -> None:
        while line.send({"type": "output", "text": "still here"}):
            time.sleep(0.2)

    if chatty:
        threading.Thread(target=chat, daemon=True).start()
    for _ in line.messages():
        pass
    say(ended=rank)


if __name__ == "__main__":
    if sys.argv[1] == "driver":
        driver(sys.argv[2])
    else:
        task(int(sys.argv[2]), chatty=sys.argv[3] == "chatty")
