"""The lock of a lake on a file system without locks: a file whose holder renews it, or loses it."""

from __future__ import annotations

import _thread
import contextlib
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipelines.errors import EnvironmentProblem
from training.storage import Folder

LOCK_FILE = ".lock"

RENEW_SECONDS = 5.0
"""How often a holder renews its lease."""

EXPIRE_SECONDS = 30.0
"""A lease that was not renewed for so long belongs to a process that is gone. Six renewals: a holder whose
file system is slow keeps its lake."""


@contextmanager
def held_by_lease(
    folder: Folder, renew_seconds: float = RENEW_SECONDS, expire_seconds: float = EXPIRE_SECONDS
) -> Iterator[None]:
    """Holds a folder while the context lasts.

    No clocks are compared: a lease counts as alive if its content changes while one looks at it. If another
    process takes the lease nevertheless (this one was suspended for longer than `expire_seconds`), this
    process is interrupted as by Ctrl-C.

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
    try:
        yield
    finally:
        stop.set()
        renewal.join()
        lease.give_back()


class _Lease:
    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._token = uuid.uuid4().hex
        self._beat = 0

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
        while not self._folder.create_exclusively(LOCK_FILE, self._content()):
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
        while not stop.wait(seconds):
            try:
                found = self._read()
                if found and found.get("token") != self._token:
                    print(
                        f"the lake {self._folder.location} was taken over by process "
                        f"{found.get('process')} on {found.get('host')}, because this process stood still "
                        f"for too long; ending",
                        file=sys.stderr,
                        flush=True,
                    )
                    _thread.interrupt_main()
                    return
                self._beat += 1
                self._folder.replace(LOCK_FILE, self._content())
            except Exception as error:  # noqa: BLE001 - a client of a file system may raise anything
                # The next renewal may come through; if none does, the lease expires.
                print(
                    f"the lock of the lake {self._folder.location} could not be renewed "
                    f"({type(error).__name__}: {error}); trying again in {seconds:g} s",
                    file=sys.stderr,
                    flush=True,
                )

    def give_back(self) -> None:
        """Remove the lease if it is still this process's."""
        with contextlib.suppress(OSError):
            found = self._read()
            if found is not None and found.get("token") == self._token:
                self._folder.delete(LOCK_FILE)
