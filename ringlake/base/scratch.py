"""Temporary folders on a local disk that a killed process does not leave for ever."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SUFFIX = ".tmp"


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A folder for as long as the context; those of the same prefix whose owner is dead go first.

    The owner holds a lock on its folder, which the kernel gives back when the process ends, however it ends.

    Args:
        prefix: What its name begins with.
        parent: Where it lies; None: where temporary files do.
    """
    parent = parent or Path(tempfile.gettempdir())
    _remove_dead(parent, prefix)
    # Under another name until it is locked: what has the name and no lock is dead.
    made = Path(tempfile.mkdtemp(prefix=f".{prefix}", suffix=_SUFFIX, dir=parent))
    place = made.with_name(made.name.removeprefix("."))
    lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # A file system without locks has none to look for either: there a dead one stays.
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        made.rename(place)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(made, ignore_errors=True)
        os.close(lock)


def _remove_dead(parent: Path, prefix: str) -> None:
    # tempfile's own eight characters, so that nothing that a person named is meant.
    ours = re.compile(re.escape(prefix) + r"[a-z0-9_]{8}" + re.escape(_SUFFIX))
    try:
        places = [place for place in parent.iterdir() if ours.fullmatch(place.name)]
    except FileNotFoundError:
        return
    for place in places:
        try:
            lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            # Gone by now, no folder, or somebody else's.
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(place, ignore_errors=True)
        except OSError:
            # Its owner lives.
            pass
        finally:
            os.close(lock)
