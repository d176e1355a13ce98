"""The lock of a lake on a file system without locks: a file whose holder renews it, or loses it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conf.urls import without_secrets
from pipelines.errors import EnvironmentProblem
from ringlake.base.storage import Folder

LOCK_FILE = ".lock"

RENEW_SECONDS = 5.0
"""How often a holder renews its lease."""

EXPIRE_SECONDS = 30.0
"""A lease that was not renewed for so long belongs to a process that is gone. Six renewals: a holder whose
file system is slow keeps its lake."""

LOOK_SECONDS = 1.0
"""How often a holder compares the time since its last renewal with the clock."""

END_SECONDS = 3.0
"""How long a process that has lost its lease may take to end by itself; then it is ended."""

LOST_EXIT_CODE = 4
"""Exit code of such an end: the environment's, as for a lake that another process holds."""


@contextmanager
def held_by_lease(
    folder: Folder, renew_seconds: float = RENEW_SECONDS, expire_seconds: float = EXPIRE_SECONDS
) -> Iterator[None]:
    """Holds a folder while the context lasts.

    No clocks are compared: a lease counts as alive if its content changes while one looks at it. If another
    process takes the lease nevertheless (this one was suspended for longer than `expire_seconds`), or if no
    renewal has come through for so long that another one may, this process is interrupted as by Ctrl-C, and
    ended if that does not end it at once: what it wrote after that would be in another's lake.

    Args:
        folder: The folder.
        renew_seconds: Time between two renewals.
        expire_seconds: Time without a renewal after which a lease is taken over.

    Raises:
        EnvironmentProblem: Another process holds it.
    """
    lease = _Lease(folder)
    lease.take(expire_seconds)
    stop = threading.Event()
    renewal = threading.Thread(target=lease.renew, args=(renew_seconds, stop), daemon=True)
    renewal.start()
    # A thread of its own: a renewal may hang in the file system.
    watch = threading.Thread(target=lease.watch, args=(renew_seconds, expire_seconds, stop), daemon=True)
    watch.start()
    try:
        yield
    finally:
        stop.set()
        watch.join()
        # One that hangs in the file system is not waited for: it is a daemon.
        renewal.join(expire_seconds)
        lease.give_back()


class _Lease:
    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._token = uuid.uuid4().hex
        self._beat = 0
        self._renewed = time.monotonic()
        self._lost = threading.Event()

    def _content(self) -> bytes:
        value = {
            "token": self._token,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "beat": self._beat,
        }
        return json.dumps(value).encode()

    def _read(self, name: str = LOCK_FILE) -> dict[str, Any] | None:
        try:
            value = json.loads(self._folder.read(name))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return {}  # between two renewals, or damaged: whoever holds it writes it again
        return value if isinstance(value, dict) else {}

    def take(self, expire_seconds: float) -> None:
        """Take the lease, or take it over from a process that is gone."""
        while not self._created():
            found = self._read()
            if found is None:
                continue
            holder = f"process {found.get('process', 'unknown')} on {found.get('host', 'an unknown host')}"
            print(
                f"the lake is held by {holder}; waiting {expire_seconds:.0f} s to see whether it is alive",
                file=sys.stderr,
                flush=True,
            )
            end = time.monotonic() + expire_seconds
            while (now := self._read()) == found and time.monotonic() < end:
                time.sleep(min(1.0, expire_seconds / 10))
            if now == found:
                self._remove(found)
            elif now is not None:
                raise EnvironmentProblem(
                    f"another ringlake ({holder}) is writing to the lake {self._folder.location}; "
                    "wait until it ends, or use another lake"
                )

    def _created(self) -> bool:
        """Whether it was free; it counts from then on, and not from before another one's end was awaited."""
        began = time.monotonic()
        created = self._folder.create_exclusively(LOCK_FILE, self._content())
        self._renewed = began
        return created

    def _remove(self, expired: dict[str, Any]) -> None:
        """Remove an expired lease, and only that: somebody else may have taken it over meanwhile."""
        aside = f"{LOCK_FILE}-{uuid.uuid4().hex}"
        try:
            self._folder.rename(LOCK_FILE, aside)
        except FileNotFoundError:
            return
        if self._read(aside) != expired:
            with contextlib.suppress(FileExistsError):
                self._folder.rename(aside, LOCK_FILE)
                return
        self._folder.delete(aside)

    def renew(self, seconds: float, stop: threading.Event) -> None:
        """Renew it until told to stop."""
        while not stop.wait(seconds) and not self._lost.is_set():
            began = time.monotonic()
            try:
                found = self._read()
                if found and found.get("token") != self._token:
                    self._lose(
                        f"was taken over by process {found.get('process')} on {found.get('host')}, because "
                        f"this process stood still for too long"
                    )
                    return
                self._beat += 1
                self._folder.replace(LOCK_FILE, self._content())
                # Of the beginning: whoever looks may have seen the new content since then.
                self._renewed = began
            except Exception as error:  # noqa: BLE001 - a client of a file system may raise anything
                # The next renewal may come through; if none does, the lease expires.
                print(
                    f"the lock of the lake {without_secrets(self._folder.location)} could not be renewed "
                    f"({type(error).__name__}: {without_secrets(str(error))}); trying again in {seconds:g} s",
                    file=sys.stderr,
                    flush=True,
                )

    def watch(self, renew_seconds: float, expire_seconds: float, stop: threading.Event) -> None:
        """End this process before another may take an unrenewed lease over."""
        limit = expire_seconds - min(renew_seconds, expire_seconds / 6)
        while not stop.wait(min(LOOK_SECONDS, renew_seconds)) and not self._lost.is_set():
            silent = time.monotonic() - self._renewed
            if silent > limit:
                self._lose(f"could not be kept: its lock was not renewed for {silent:.0f} s")

    def _lose(self, what: str) -> None:
        if self._lost.is_set():
            return
        self._lost.set()
        text = f"the lake {self._folder.location} {what}; ending"
        with contextlib.suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)
        end = threading.Timer(END_SECONDS, os._exit, (LOST_EXIT_CODE,))
        end.daemon = True
        end.start()
        # A real signal: it wakes a main thread that waits in a system call, for Spark's answer for example.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def give_back(self) -> None:
        """Remove the lease if it is still this process's."""
        with contextlib.suppress(OSError):
            found = self._read()
            if found is not None and found.get("token") == self._token:
                self._folder.delete(LOCK_FILE)
