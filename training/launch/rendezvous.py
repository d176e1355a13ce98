"""Horovod's rendezvous server, bound to one interface, open to the ranks' hosts only, closed at the end."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from horovod.runner.common.util.hosts import SlotInfo
from horovod.runner.http.http_server import RendezvousHandler, RendezvousHTTPServer

from training.launch.network import listen
from training.launch.ranks import RankInfo

MAX_BODY_BYTES = 1 << 20
"""A rank stores connection addresses of a few hundred bytes."""


class _Handler(RendezvousHandler):
    """Horovod's handler without what it inherits from a file server, and with a size limit."""

    def do_HEAD(self) -> None:
        self.send_status_code(405)

    def do_PUT(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self.send_status_code(413)
            return
        super().do_PUT()


class _Server(RendezvousHTTPServer):
    allowed: frozenset[str] = frozenset()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return client_address[0] in self.allowed


class RendezvousServer:
    """The key-value store through which the ranks find each other.

    Horovod's clients cannot authenticate, so the server listens on one address and answers only the
    addresses that it is told: loopback where all ranks share a host.

    Args:
        address: IP address to bind to.
        ports: First and last port to choose from; None: any.

    Attributes:
        port: The port it listens on.
    """

    def __init__(self, address: str, ports: tuple[int, int] | None = None) -> None:
        self._server = listen(address, ports, lambda port: _Server((address, port), _Handler, 0))
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self, ranks: list[RankInfo], addresses: set[str]) -> None:
        """Answer the ranks, which connect from these addresses."""
        self._server.allowed = frozenset(addresses)
        self._server.init(
            [
                SlotInfo(
                    hostname=info.host,
                    rank=info.rank,
                    local_rank=info.local_rank,
                    cross_rank=info.cross_rank,
                    size=info.world_size,
                    local_size=info.local_size,
                    cross_size=info.cross_size,
                )
                for info in ranks
            ]
        )
        self._thread.start()

    def close(self) -> None:
        """Stop and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> RendezvousServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
