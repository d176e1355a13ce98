"""Horovod's rendezvous server, bound to one interface, open to the ranks' hosts only, closed at the end."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Any

from horovod.runner.common.util.hosts import SlotInfo
from horovod.runner.http.http_server import RendezvousHandler, RendezvousHTTPServer

from training.launch.network import Strangers, accept, end, is_of_other_user, listen
from training.launch.ranks import RankInfo

MAX_BODY_BYTES = 1 << 20
"""A rank stores connection addresses of a few hundred bytes."""

MAX_STORE_BYTES = 64 << 20
"""All that is stored, names included; a thousand ranks that each store all their addresses take less."""

REQUEST_SECONDS = 10.0
"""A request that is not through by then is cut off, however it spreads its bytes; one takes milliseconds."""

MAX_REQUESTS = 64
"""Requests at a time, or two for each rank; the oldest makes room, and Horovod's clients ask again."""

_ENTRY_BYTES = 256
"""What an entry of the store takes besides its name and its value."""


class _Handler(RendezvousHandler):
    """Horovod's handler without what it inherits from a file server, and with limits."""

    def do_HEAD(self) -> None:
        self.send_status_code(405)

    def do_GET(self) -> None:
        if self._is_key():
            super().do_GET()

    def do_DELETE(self) -> None:
        if self._is_key():
            super().do_DELETE()

    def do_PUT(self) -> None:
        given = self.headers.get("Content-Length", "")
        if not (given.isascii() and given.isdigit() and len(given) < 20) or int(given) > MAX_BODY_BYTES:
            self.send_status_code(413)
            return
        if not self._is_key():
            return
        value = self.rfile.read(int(given))
        if len(value) < int(given):
            self.send_status_code(400)
        elif not self.server.has_room(len(self.path) + len(value) + _ENTRY_BYTES):
            self.send_status_code(507)
        else:
            _, scope, key = self.path.split("/")
            self._put_value(scope, key, value)
            self.send_status_code(200)

    def _is_key(self) -> bool:
        """Whether the path is that of a key, `/scope/key`; the answer is given if not."""
        if self.path.count("/") == 2:
            return True
        self.send_status_code(400)
        return False


class _Server(RendezvousHTTPServer):
    """Takes requests in threads of their own, bounded in number and time, and waits for none at its end."""

    allowed: frozenset[str] = frozenset()
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int]) -> None:
        self.requests = Strangers(MAX_REQUESTS, end)
        self.is_closing = False
        self._stored = 0
        super().__init__(address, _Handler, 0)

    def get_request(self) -> tuple[Any, Any]:
        connected = accept(self.socket, self.requests, lambda: self.is_closing)
        if connected is None:
            raise OSError("the rendezvous is closing")
        with contextlib.suppress(OSError):
            return connected, connected.getpeername()
        connected.close()
        raise OSError("the peer has gone")

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return client_address[0] in self.allowed and not is_of_other_user(
            client_address, self.socket.getsockname()
        )

    def process_request(self, request: Any, client_address: Any) -> None:
        self.requests.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.requests.discard(request)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called by the loop between requests, at least every 50 ms."""
        for late in self.requests.older_than(time.monotonic() - REQUEST_SECONDS):
            end(late)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that goes in the middle of a request is its own affair, and no line in a log."""

    def has_room(self, size: int) -> bool:
        """Count what is stored; nothing is given back, for a rank stores each key once."""
        with self.cache_lock:
            if self._stored + size > MAX_STORE_BYTES:
                return False
            self._stored += size
            return True


class RendezvousServer:
    """The key-value store through which the ranks find each other.

    Horovod's clients cannot authenticate, so the server listens on one address and answers only the
    addresses that it is told: loopback where all ranks share a host, and there no process of another user
    (Linux). What others on the ranks' hosts may hold of it is bounded: requests in number, bytes and time,
    and what is stored.

    Args:
        address: IP address to bind to.
        ports: First and last port to choose from; None: any.
        ports_name: What the caller calls that range.

    Attributes:
        port: The port it listens on.
    """

    def __init__(
        self, address: str, ports: tuple[int, int] | None = None, ports_name: str = "train.ports"
    ) -> None:
        self._server = listen(address, ports, lambda port: _Server((address, port)), ports_name)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self, ranks: list[RankInfo], addresses: set[str]) -> None:
        """Answer the ranks, which connect from these addresses."""
        self._server.allowed = frozenset(addresses)
        self._server.requests.limit = max(MAX_REQUESTS, 2 * len(ranks))
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
        """Stop and free the port; requests that are under way are cut off."""
        self._server.is_closing = True
        self._server.requests.close()
        if self._thread.is_alive():
            # It may be waiting for the next connection, which a peer has begun and left.
            with contextlib.suppress(OSError):
                self._server.socket.shutdown(socket.SHUT_RDWR)
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> RendezvousServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
