"""The page's own browser gets through, and nobody else; of the library's addresses only what it needs."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from pipelines.demo.guard import MAX_BODY_BYTES, Guard

PORT = 7860
OWN = {"host": f"127.0.0.1:{PORT}"}


def ask(method: str, path: str, **headers: str) -> tuple[int, dict[bytes, bytes], list[Any]]:
    """Status and headers of the answer, and the requests that got through."""
    through: list[Any] = []
    sent: list[MutableMapping[str, Any]] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        through.append(scope)
        own = [(b"content-security-policy", b"none"), (b"x-own", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": own})
        await send({"type": "http.response.body", "body": b"ok"})

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": given}
    asyncio.run(Guard(inner, PORT)(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), through


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("HEAD", "/"),
        ("GET", "/config"),
        ("GET", "/theme.css"),
        ("GET", "/assets/index-DphvyggB.js"),
        ("GET", "/static/img/logo_nosize.svg"),
        ("GET", "/gradio_api/queue/data"),
        ("GET", "/gradio_api/heartbeat/abc123"),
        ("POST", "/gradio_api/queue/join"),
        ("POST", "/gradio_api/cancel"),
    ],
)
def test_what_the_page_needs_gets_through(method: str, path: str) -> None:
    status, headers, through = ask(method, path, **OWN, origin=f"http://127.0.0.1:{PORT}")
    assert status == 200 and len(through) == 1
    assert headers[b"x-own"] == b"1"
    policy = headers[b"content-security-policy"].decode()
    assert policy.startswith("default-src 'self';") and "http" not in policy and "*" not in policy


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/gradio_api/upload", 404),
        ("GET", "/gradio_api/file=/etc/passwd", 404),
        ("GET", "/gradio_api/file/etc/passwd", 404),
        ("GET", "/gradio_api/proxy=http://a.example/", 404),
        ("GET", "/static/../../../etc/passwd", 404),
        ("GET", "/monitoring", 404),
        ("POST", "/gradio_api/run/predict", 404),
        ("POST", "/gradio_api/vibe-edit", 404),
        ("POST", "/gradio_api/component_server", 404),
        ("POST", "/login", 404),
        ("GET", "/gradio_api/queue/join", 404),
        ("POST", "/", 404),
        ("OPTIONS", "/gradio_api/queue/join", 405),
        ("DELETE", "/", 405),
    ],
)
def test_all_else_does_not(method: str, path: str, status: int) -> None:
    found, headers, through = ask(method, path, **OWN)
    assert (found, through) == (status, [])
    assert b"content-security-policy" in headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 421),
        ({"host": "evil.example"}, 421),
        ({"host": f"evil.example:{PORT}"}, 421),
        ({"host": "127.0.0.1"}, 421),
        ({"host": "127.0.0.1:80"}, 421),
        (OWN | {"origin": "http://evil.example"}, 403),
        (OWN | {"origin": "null"}, 403),
        (OWN | {"origin": "http://127.0.0.1:8000"}, 403),
        (OWN | {"content_length": str(MAX_BODY_BYTES + 1)}, 413),
        (OWN | {"content_length": "-1"}, 413),
        (OWN | {"transfer_encoding": "chunked"}, 411),
    ],
)
def test_others_do_not_get_through(headers: dict[str, str], status: int) -> None:
    found, _, through = ask("POST", "/gradio_api/queue/join", **headers)
    assert (found, through) == (status, [])


def test_nobody_says_that_the_page_lies_elsewhere() -> None:
    _, _, (scope,) = ask("GET", "/", **OWN, x_forwarded_host="evil.example", forwarded="host=evil.example")
    assert [name for name, _ in scope["headers"]] == [b"host"]


def test_a_websocket_is_refused() -> None:
    sent: list[Any] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(Guard(None, PORT)({"type": "websocket", "headers": []}, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]
