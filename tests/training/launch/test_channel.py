"""Only who knows the token gets in; either side notices when the other goes."""

from __future__ import annotations

import json
import queue
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from training.launch.channel import MAX_LINE_BYTES, DriverServer, connect

WAIT = 10.0


class Recorder:
    def __init__(self) -> None:
        self.messages: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
        self.closed: queue.Queue[int] = queue.Queue()
        self.server = DriverServer(
            "127.0.0.1", "127.0.0.1", 2, lambda rank, m: self.messages.put((rank, m)), self.closed.put
        )


@pytest.fixture
def driver() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.server.close()


def test_messages_go_both_ways(driver: Recorder) -> None:
    line = connect(driver.server.endpoint, 1)
    assert line.send({"type": "output", "text": "zeile\n\u2028ü"})
    assert driver.messages.get(timeout=WAIT) == (1, {"type": "output", "text": "zeile\n\u2028ü"})
    driver.server.broadcast({"type": "stop"})
    assert next(line.messages()) == {"type": "stop"}
    line.close()
    assert driver.closed.get(timeout=WAIT) == 1


def test_a_wrong_token_is_turned_away(driver: Recorder) -> None:
    with pytest.raises(ConnectionError):
        connect(replace(driver.server.endpoint, token="0" * 64), 0)
    assert driver.messages.empty()


def test_a_proof_is_good_for_its_own_rank_only_and_each_rank_once(driver: Recorder) -> None:
    first = connect(driver.server.endpoint, 0)
    with pytest.raises(ConnectionError):
        connect(driver.server.endpoint, 0)
    with pytest.raises(ConnectionError):
        connect(driver.server.endpoint, 2)
    first.close()


@pytest.mark.parametrize(
    "sent",
    [b"", b"\n", b"GET / HTTP/1.1\r\n\r\n", b"[1]\n", b'{"rank": 0}\n', b'{"rank": true, "proof": "x"}\n'],
)
def test_strangers_are_cut_off_without_a_word(driver: Recorder, sent: bytes) -> None:
    port = driver.server.endpoint.port
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as stranger:
        reader = stranger.makefile("rb")
        assert set(json.loads(reader.readline())) == {"nonce"}
        stranger.sendall(sent)
        stranger.shutdown(socket.SHUT_WR)
        assert reader.read() == b""
    assert driver.messages.empty()


def test_a_message_without_end_closes_the_line(driver: Recorder) -> None:
    line = connect(driver.server.endpoint, 0)
    line._socket.sendall(b"x" * (MAX_LINE_BYTES + 1))
    assert driver.closed.get(timeout=WAIT) == 0


def test_a_task_notices_that_the_driver_is_gone(driver: Recorder) -> None:
    line = connect(driver.server.endpoint, 0)
    driver.server.close()
    assert list(line.messages()) == []


def test_the_port_is_free_after_the_end(driver: Recorder) -> None:
    port = driver.server.endpoint.port
    driver.server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=WAIT)


def test_it_listens_on_the_given_address_only(driver: Recorder) -> None:
    assert driver.server._listener.getsockname()[0] == "127.0.0.1"
