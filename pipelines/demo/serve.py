"""Serves an application to this machine alone, until Ctrl-C."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

from pipelines.errors import EnvironmentProblem

HOST = "127.0.0.1"
"""The loopback address: no other machine reaches it."""

_GRACE_SECONDS = 1
"""How long open connections may go on after Ctrl-C; a page that is open holds one for good."""


def taken(port: int) -> socket.socket:
    """The port, held from now on; nobody is answered yet.

    Raises:
        EnvironmentProblem: Another process has it, or this one may not.
    """
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # A port on which another process listens stays refused; one that was just given back is not.
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((HOST, port))
        held.listen()
    except OSError as error:
        held.close()
        why = (
            "is in use"
            if error.errno == errno.EADDRINUSE
            else f"cannot be had: {os.strerror(error.errno or 0)}"
        )
        raise EnvironmentProblem(f"demo: port {port} of {HOST} {why}; name another with --port") from None
    return held


def serve(application: Any, held: socket.socket, ending: Callable[[], None]) -> None:
    """Answers requests until SIGINT or SIGTERM; the port is closed then.

    Args:
        application: An ASGI application.
        held: The port.
        ending: Is called as soon as the end is wanted, in a signal handler.
    """
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            ending()
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        application,
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    # It hands Ctrl-C on when all is closed; to end that way is what the user wants.
    with contextlib.suppress(KeyboardInterrupt):
        Server(config).run(sockets=[held])
