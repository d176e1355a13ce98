"""Events reach a real endpoint in order; one that is not there, is slow or refuses holds nothing up."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path

import pytest

from pipelines.errors import EnvironmentProblem
from pipelines.lineage import transport
from pipelines.lineage.transport import transport_to
from tests.lineage.receiver import receiver


def test_an_endpoint_gets_all_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(transport.API_KEY, "key-of-mine")
    said: list[str] = []
    with receiver() as there:
        line = transport_to(there.url, said.append)
        line.require()
        for number in range(50):
            line.send(json.dumps({"number": number}))
        line.close()
        assert [event["number"] for event in there.events] == list(range(50))
        assert set(there.paths) == {transport.ENDPOINT}
        assert set(there.keys) == {"Bearer key-of-mine"}
    assert said == []


def test_a_path_of_its_own_is_kept() -> None:
    with receiver() as there:
        line = transport_to(f"{there.url}/api/v2/events", print)
        line.require()
        line.send("{}")
        line.close()
        assert there.paths == ["/api/v2/events"]


@pytest.mark.parametrize("status", [500, 401, 302])
def test_an_endpoint_that_refuses_is_two_lines_and_asked_no_more(status: int) -> None:
    said: list[str] = []
    with receiver(status) as there:
        line = transport_to(there.url.replace("//", "//user:secret@"), said.append)
        line.require()
        for _ in range(20):
            line.send("{}")
        line.close()
        assert len(there.events) == transport.MOST_FAILURES
        assert set(there.keys) == {"Basic dXNlcjpzZWNyZXQ="}
    assert len(said) == 2
    assert f"it answered {status}" in said[0] and "20 events" in said[1]
    assert "secret" not in " ".join(said)


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said: list[str] = []
    line = transport_to(f"http://127.0.0.1:{port}", said.append)
    line.require()
    line.send("{}")
    line.close()
    assert "Connection refused" in said[0]


def test_one_that_never_answers_holds_up_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(transport, "CLOSE_SECONDS", 3.0)
    monkeypatch.setattr(transport, "MOST_WAITING", 10)
    said: list[str] = []
    over = threading.Event()
    with receiver(wait=over) as there:
        line = transport_to(there.url, said.append)
        line.require()
        began = time.monotonic()
        for _ in range(100):
            line.send("{}")
        assert time.monotonic() - began < 1, "nobody who sends waits"
        line.close()
        assert time.monotonic() - began < 10
        over.set()
    assert "events of OpenLineage did not reach" in said[-1]


@pytest.mark.parametrize("place", ["nowhere/events", "."])
def test_a_file_that_cannot_be_written(tmp_path: Path, place: str) -> None:
    with pytest.raises(EnvironmentProblem, match=r"--openlineage .* cannot be written"):
        transport_to(str(tmp_path / place), print).require()


@pytest.mark.parametrize("url", ["http://", "http://[", "http://host:port", "https:///path"])
def test_a_url_without_a_host(url: str) -> None:
    with pytest.raises(EnvironmentProblem, match="no URL with a host"):
        transport_to(url, print)
