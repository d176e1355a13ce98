"""Peers that prove nothing take neither the listeners' descriptors nor their time."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from training.launch.channel import MAX_STRANGERS, DriverServer, connect
from training.launch.connection import HANDSHAKE_SECONDS, MAX_GREETING_BYTES, Endpoint
from training.launch.network import is_of_other_user
from training.launch.ranks import assign_ranks
from training.launch.rendezvous import MAX_REQUESTS, RendezvousServer


def test_a_rank_gets_in_past_a_crowd_and_closing_waits_for_none() -> None:
    server = DriverServer("127.0.0.1", "127.0.0.1", 1, lambda _rank, _message: None, lambda _rank: None)
    place = ("127.0.0.1", server.endpoint.port)
    with contextlib.ExitStack() as stack:
        for _ in range(2 * MAX_STRANGERS):
            stack.enter_context(socket.create_connection(place)).sendall(b"{")
        line = connect(server.endpoint, 0)
        assert threading.active_count() <= MAX_STRANGERS + 20
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < HANDSHAKE_SECONDS
        line.close()


def test_a_greeting_without_end_is_cut_off_after_its_limit() -> None:
    server = DriverServer("127.0.0.1", "127.0.0.1", 1, lambda _rank, _message: None, lambda _rank: None)
    with socket.create_connection(("127.0.0.1", server.endpoint.port), timeout=30) as stranger:
        reader = stranger.makefile("rb")
        assert set(json.loads(reader.readline())) == {"nonce"}
        stranger.sendall(b"x" * MAX_GREETING_BYTES)
        assert reader.read() == b""
    server.close()


def drips(place: tuple[str, int], byte: bytes, seconds: float) -> float:
    """How long a connection lasts that sends a byte now and then."""
    began = time.monotonic()
    with socket.create_connection(place, timeout=seconds) as stranger:
        stranger.settimeout(0.1)
        while time.monotonic() - began < seconds:
            try:
                stranger.sendall(byte)
                if stranger.recv(4096) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    return time.monotonic() - began


def test_who_drips_bytes_without_proof_is_cut_off_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.launch.channel.HANDSHAKE_SECONDS", 1.0)
    monkeypatch.setattr("training.launch.rendezvous.REQUEST_SECONDS", 1.0)
    server = DriverServer("127.0.0.1", "127.0.0.1", 1, lambda _rank, _message: None, lambda _rank: None)
    assert drips(("127.0.0.1", server.endpoint.port), b"x", 30) < 20
    server.close()
    with RendezvousServer("127.0.0.1") as rendezvous:
        rendezvous.start(assign_ranks(["a:1"]), {"127.0.0.1"})
        assert drips(("127.0.0.1", rendezvous.port), b"P", 30) < 20


def test_requests_that_never_end_hold_no_rendezvous_open() -> None:
    server = RendezvousServer("127.0.0.1")
    server.start(assign_ranks(["a:1"]), {"127.0.0.1"})
    with contextlib.ExitStack() as stack:
        for _ in range(2 * MAX_REQUESTS):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            slow.sendall(b"PUT /global/0 HTTP/1.1\r\nContent-Length: 9\r\n")
        ended = threading.Thread(target=server.close, daemon=True)
        ended.start()
        ended.join(30)
        assert not ended.is_alive()


def test_a_rank_gets_in_where_the_crowd_has_taken_all_descriptors() -> None:
    few = MAX_STRANGERS // 4
    script = Path(__file__).with_name("crowded_server.py")
    with (
        subprocess.Popen(
            [sys.executable, str(script), str(few)], stdout=subprocess.PIPE, text=True
        ) as server,
        contextlib.ExitStack() as stack,
    ):
        assert server.stdout
        endpoint = Endpoint(*json.loads(server.stdout.readline()))
        for _ in range(4 * few):
            stack.enter_context(socket.create_connection((endpoint.host, endpoint.port)))
        line = connect(endpoint, 0)
        line.send({"text": "here"})
        assert server.stdout.readline() == "0 here\n"
        line.close()
        assert server.wait(60) == 0


def test_whose_connection_it_is_comes_from_the_kernel() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = listener.getsockname()
        with socket.create_connection(place) as mine:
            assert not is_of_other_user(mine.getsockname(), place)
            # Nobody's: no such connection is there.
            assert is_of_other_user(("127.0.0.1", place[1]), place)
            assert not is_of_other_user(("192.0.2.1", 1), place)


_OTHER_USER = """
import encodings.idna, http.client, os, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=30)
if sys.argv[2] != "same":
    os.setuid(int(sys.argv[2]))
try:
    connection.request("GET", "/global/0")
    print(connection.getresponse().status)
except (http.client.RemoteDisconnected, ConnectionResetError):
    print("refused")
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_of_this_host_gets_no_answer_from_the_rendezvous() -> None:
    with RendezvousServer("127.0.0.1") as server:
        server.start(assign_ranks(["a:1"]), {"127.0.0.1"})
        answers = [
            subprocess.check_output([sys.executable, "-c", _OTHER_USER, str(server.port), user], text=True)
            for user in ("same", "65534")
        ]
    assert answers == ["404\n", "refused\n"]
