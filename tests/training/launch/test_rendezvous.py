"""The rendezvous answers the ranks' hosts on one address, and is gone afterwards."""

from __future__ import annotations

import http.client

import pytest

from training.launch.ranks import assign_ranks
from training.launch.rendezvous import MAX_BODY_BYTES, MAX_STORE_BYTES, RendezvousServer


def request(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_it_stores_what_a_rank_puts() -> None:
    with RendezvousServer("127.0.0.1") as server:
        server.start(assign_ranks(["a:1", "a:2"]), {"127.0.0.1"})
        assert request(server.port, "PUT", "/global/0", b"address of rank 0")[0] == 200
        assert request(server.port, "GET", "/global/0") == (200, b"address of rank 0")
        assert request(server.port, "GET", "/global/1")[0] == 404


def test_it_is_no_file_server_and_takes_no_large_bodies() -> None:
    with RendezvousServer("127.0.0.1") as server:
        server.start(assign_ranks(["a:1"]), {"127.0.0.1"})
        assert request(server.port, "HEAD", "/pyproject.toml")[0] == 405
        too_long = {"Content-Length": str(MAX_BODY_BYTES + 1)}
        assert request(server.port, "PUT", "/global/0", None, **too_long)[0] == 413


def test_what_it_stores_is_bounded_names_included() -> None:
    body = bytes(MAX_BODY_BYTES)
    fitting = MAX_STORE_BYTES // len(body) - 1
    with RendezvousServer("127.0.0.1") as server:
        server.start(assign_ranks(["a:1"]), {"127.0.0.1"})
        answers = [request(server.port, "PUT", f"/global/{key}", body)[0] for key in range(fitting + 1)]
        # The last one would fit without the names.
        assert answers == [200] * fitting + [507]
        assert request(server.port, "GET", f"/global/{fitting}")[0] == 404
        assert request(server.port, "GET", "/global/0") == (200, body)
        assert request(server.port, "PUT", "/global/small", b"address")[0] == 200


def test_other_hosts_get_no_answer() -> None:
    with RendezvousServer("127.0.0.1") as server:
        server.start(assign_ranks(["a:1"]), {"10.1.2.3"})
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            request(server.port, "GET", "/global/0")


def test_the_port_is_closed_at_the_end() -> None:
    with RendezvousServer("127.0.0.1") as server:
        server.start(assign_ranks(["a:1"]), {"127.0.0.1"})
    with pytest.raises(ConnectionRefusedError):
        request(server.port, "GET", "/global/0")
