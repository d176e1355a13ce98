"""Who may ask for what: this machine's browser, for the page and the few addresses that the page needs."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 8 << 20
"""Body of a request. A question that is too long for the page fits in many times, so that it is told so."""

_READ = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/manifest\.json|/(assets|static)/[A-Za-z0-9_.@/-]+"
    r"|/gradio_api/(info|startup-events|queue/data|heartbeat/[a-z0-9]+)"
)
_WRITE = re.compile(r"/gradio_api/(queue/join|cancel|reset)")

_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""Whatever a page holds, its browser asks no other host for anything."""

_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class Guard:
    """An ASGI application around another: it answers requests for what the page does not need itself.

    The library serves more than a page: uploads, files, other sites through a proxy, its own editor. None of
    that is reached. A request must name this host, so that no name that an attacker points at 127.0.0.1 gets
    through (DNS rebinding), and a page of another site cannot write.

    Args:
        inner: The application.
        port: The port that is served.
    """

    def __init__(self, inner: Application, port: int) -> None:
        self._inner = inner
        self._hosts = {f"127.0.0.1:{port}".encode(), f"localhost:{port}".encode()}
        if port == 80:  # which browsers leave out
            self._hosts |= {b"127.0.0.1", b"localhost"}
        self._origins = {b"http://" + host for host in self._hosts}

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers a request, or hands it on."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return
        if scope["type"] != "http":
            # A websocket, which the page does not use: closing it before it is accepted refuses it.
            await send({"type": "websocket.close", "code": 1008})
            return
        status = self._refuses(scope)
        if status:
            await _answer(send, status)
            return
        inside = {**scope, "headers": [item for item in scope["headers"] if not _tells_another_host(item[0])]}
        await self._inner(inside, receive, _with_headers(send))

    def _refuses(self, scope: MutableMapping[str, Any]) -> int:
        """The status of a refusal; 0 for a request that may go on."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        if len(headers.get(b"host", [])) != 1 or headers[b"host"][0] not in self._hosts:
            return 421
        if not self._origins.issuperset(headers.get(b"origin", [])):
            return 403
        allowed = {"GET": _READ, "HEAD": _READ, "POST": _WRITE}.get(scope["method"])
        if allowed is None:
            return 405
        path = str(scope["path"])
        if ".." in path or not allowed.fullmatch(path):
            return 404
        if b"transfer-encoding" in headers:
            return 411  # a body without a length, which no browser sends here
        length = headers.get(b"content-length", [b"0"])[0]
        return 413 if not length.isdigit() or int(length) > MAX_BODY_BYTES else 0


def _tells_another_host(name: bytes) -> bool:
    return name.startswith(b"x-forwarded-") or name == b"forwarded"


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in _HEADERS}
            kept = [item for item in message.get("headers", []) if item[0].lower() not in own]
            message = {**message, "headers": [*kept, *_HEADERS]}
        await send(message)

    return sending


async def _answer(send: Send, status: int) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"0"), *_HEADERS],
        }
    )
    await send({"type": "http.response.body", "body": b""})
