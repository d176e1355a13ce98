"""A listener of a launch in a process with few file descriptors, for a crowd from outside.

Usage: python crowded_server.py DESCRIPTORS. It prints a line with host, port and token, and what it hears.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
from pathlib import Path

from training.launch.channel import DriverServer


def main() -> None:
    gone = threading.Event()
    server = DriverServer(
        "127.0.0.1",
        "127.0.0.1",
        1,
        lambda rank, message: print(rank, message["text"], flush=True),
        lambda _rank: gone.set(),
    )
    used = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + int(sys.argv[1]), used + int(sys.argv[1])))
    endpoint = server.endpoint
    print(json.dumps([endpoint.host, endpoint.port, endpoint.token]), flush=True)
    gone.wait(120)
    server.close()


if __name__ == "__main__":
    main()
