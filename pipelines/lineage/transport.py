"""Where events go: a file, a line each, or an HTTP endpoint. That it is not there never holds up a run."""

from __future__ import annotations

import base64
import os
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from conf.urls import without_secrets
from pipelines.errors import EnvironmentProblem

ENDPOINT = "/api/v1/lineage"
"""Path of an endpoint whose URL has none: where OpenLineage's own servers take events."""

API_KEY = "OPENLINEAGE_API_KEY"
"""Variable with the endpoint's key, as the library's own client has it."""

TIMEOUT_SECONDS = 5.0
"""For one event."""

CLOSE_SECONDS = 10.0
"""How long the end of a run waits for events that are still on their way."""

MOST_WAITING = 1_000

MOST_FAILURES = 3
"""After so many events in a row that failed, no more are sent: the endpoint is not there."""


class Transport(Protocol):
    """Takes events."""

    def require(self) -> None:
        """EnvironmentProblem if it plainly can take none."""

    def send(self, event: str) -> None:
        """Takes an event, which is JSON in one line."""

    def close(self) -> None:
        """Returns when all are gone, or given up."""


def transport_to(place: str, say: Callable[[str], None]) -> Transport:
    """The transport to a file or an http(s) URL.

    Args:
        place: The value of `--openlineage`.
        say: Takes a line for the user.
    """
    if place.lower().startswith(("http://", "https://")):
        return HttpTransport(place, say)
    return FileTransport(place)


class FileTransport:
    """Adds events to a file, a line each.

    Args:
        place: The file.
    """

    def __init__(self, place: str) -> None:
        self._path = Path(place)

    def require(self) -> None:
        """EnvironmentProblem unless the file can be written to."""
        try:
            with self._path.open("a", encoding="utf-8"):
                pass
        except OSError as error:
            raise EnvironmentProblem(
                f"--openlineage {self._path} cannot be written ({error.strerror}); name another file"
            ) from None

    def send(self, event: str) -> None:
        """Adds a line; OSError if it cannot."""
        with self._path.open("a", encoding="utf-8") as out:
            out.write(event + "\n")

    def close(self) -> None:
        """Nothing is left to do."""


class HttpTransport:
    """Posts events in a thread of its own, in order.

    Args:
        url: The endpoint. User and password in it, or the key of `API_KEY`, are sent to it and never shown.
        say: Takes a line for the user.
    """

    def __init__(self, url: str, say: Callable[[str], None]) -> None:
        parts = _parts(url)
        path = parts.path if parts.path.strip("/") else ENDPOINT
        self._shown = without_secrets(urlunsplit(parts._replace(path=path)))
        # A user and a password are no part of the host's name, but go into a header.
        self._url = urlunsplit(parts._replace(path=path, netloc=parts.netloc.rpartition("@")[2]))
        self._authorization = _authorization(parts)
        self._say = say
        self._waiting: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._failures = self._lost = 0
        self._thread = threading.Thread(target=self._post_all, name="openlineage", daemon=True)

    def require(self) -> None:
        """Starts the thread; whether somebody answers is told by the first event."""
        self._thread.start()

    def send(self, event: str) -> None:
        """Hands an event to the thread; where too many wait, it is lost, and told at the end."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self._lost += 1

    def close(self) -> None:
        """Waits for what is on its way, but not for long; says what was lost."""
        ends = time.monotonic() + CLOSE_SECONDS
        try:
            self._waiting.put(None, timeout=CLOSE_SECONDS)
        except queue.Full:
            pass
        else:
            self._thread.join(max(0.0, ends - time.monotonic()))
        lost = self._lost + self._waiting.qsize()
        if lost:
            self._say(f"note: {lost} events of OpenLineage did not reach {self._shown}")

    def _post_all(self) -> None:
        while (event := self._waiting.get()) is not None:
            if self._failures >= MOST_FAILURES:
                self._lost += 1
                continue
            try:
                self._post(event)
                self._failures = 0
            except Exception as error:  # noqa: BLE001 - an endpoint may answer anything
                self._lost += 1
                self._failures += 1
                if self._failures == 1:
                    self._say(f"note: OpenLineage at {self._shown} does not take events: {_reason(error)}")

    def _post(self, event: str) -> None:
        headers = {"Content-Type": "application/json"}
        if self._authorization:
            headers["Authorization"] = self._authorization
        asked = urllib.request.Request(self._url, event.encode(), headers, method="POST")  # noqa: S310 - http(s) alone
        with _OPENER.open(asked, timeout=TIMEOUT_SECONDS):
            pass


def _parts(url: str) -> SplitResult:
    """The parts of a URL; EnvironmentProblem unless it names a host."""
    try:
        parts = urlsplit(url)
        found = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        found = False
    if not found:
        raise EnvironmentProblem("--openlineage is no URL with a host; write http://HOST:PORT")
    return parts


def _authorization(parts: SplitResult) -> str:
    """The header that says who sends; empty for nobody."""
    if key := os.environ.get(API_KEY):
        return f"Bearer {key}"
    if not parts.username:
        return ""
    who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(who.encode()).decode()}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Events, and the key beside them, go to the endpoint that the user named and to no other."""

    def redirect_request(self, *_: object) -> None:
        """Takes a redirect for what it is: a refusal."""


_OPENER = urllib.request.build_opener(_NoRedirects)


def _reason(error: Exception) -> str:
    """Why, in words that hold nothing of the URL."""
    if isinstance(error, urllib.error.HTTPError):
        return f"it answered {error.code}"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, OSError):
        return error.reason.strerror or type(error.reason).__name__
    return "it did not answer in time" if isinstance(error, TimeoutError) else type(error).__name__
