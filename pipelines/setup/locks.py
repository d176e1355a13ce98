"""Advisory file locks: one set-up at a time makes a thing, the others wait and say so."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from pipelines.setup.progress import Progress

_POLL_S = 0.5
_TICK_S = 60.0


@contextlib.contextmanager
def locked(place: Path, what: str, progress: Progress) -> Iterator[None]:
    """Hold a lock; it falls with its process, so a crash leaves none behind.

    Args:
        place: A directory, or a file that is made where there is none.
        what: What is locked, in a person's words.
        progress: Where to say that another has it, or that this file system has no locks.

    Raises:
        OSError: The file cannot be made or opened.
    """
    flags = os.O_RDONLY if place.is_dir() else os.O_RDWR | os.O_CREAT
    handle = os.open(place, flags | os.O_CLOEXEC, 0o644)
    try:
        told = -_TICK_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - told >= _TICK_S:
                    progress.tick(f"another set-up is making {what}: waiting for it")
                    told = time.monotonic()
                time.sleep(_POLL_S)
            except OSError as error:
                progress.line(f"{place.parent} has no file locks ({error.strerror}): going on without")
                break
        yield
    finally:
        os.close(handle)
