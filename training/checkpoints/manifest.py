"""Whether a checkpoint is whole, by its manifest of sizes and hashes. Needs no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ringlake.base.hashing import file_hash
from ringlake.base.storage import Folder

MANIFEST_FILE = "manifest.json"
STATE_FILE = "state.json"

MAX_JSON_BYTES = 16 << 20
"""Largest manifest or state that is read."""

GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
"""Errors that say what lies there; any other OSError says only that nobody can tell just now."""


class TornError(ValueError):
    """A checkpoint is not whole; the message says what of it."""


@dataclass(frozen=True)
class Entry:
    """What the manifest says of a file."""

    num_bytes: int
    sha256: str

    def check(self, name: str, num_bytes: int, sha256: str) -> None:
        """TornError unless a file of this size and hash is the one that was written."""
        if num_bytes != self.num_bytes:
            raise TornError(f"{name} has {num_bytes} bytes instead of {self.num_bytes}")
        if sha256 != self.sha256:
            raise TornError(f"the SHA-256 of {name} is not the manifest's")


def read_limited(place: Folder, name: str) -> bytes:
    """A JSON file of a checkpoint; TornError if it is larger than `MAX_JSON_BYTES`."""
    size = place.size(name)
    if size > MAX_JSON_BYTES:
        raise TornError(f"{name} has {size} bytes, more than {MAX_JSON_BYTES}")
    return place.read(name)


def read_manifest(place: Folder) -> dict[str, Entry]:
    """The files of a checkpoint by name.

    Raises:
        TornError: The manifest is none that any release writes.
        OSError: It cannot be read.
    """
    try:
        tree = json.loads(read_limited(place, MANIFEST_FILE))
        found = {name: Entry(said["bytes"], said["sha256"]) for name, said in tree.items()}
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise TornError(f"{MANIFEST_FILE} cannot be read: {' '.join(str(error).split())}") from None
    if STATE_FILE not in found:
        raise TornError(f"{MANIFEST_FILE} does not name {STATE_FILE}")
    for name, entry in found.items():
        if "/" in name or type(entry.num_bytes) is not int or type(entry.sha256) is not str:
            raise TornError(f"{MANIFEST_FILE} says of {name!r} what is no size and hash")
    return found


def check_sizes(place: Folder) -> None:
    """TornError or OSError unless all files of a checkpoint are there in their sizes; reads no contents."""
    for name, entry in read_manifest(place).items():
        entry.check(name, place.size(name), entry.sha256)


def check_whole(place: Folder) -> None:
    """TornError or OSError unless all files of a checkpoint are as they were written; reads them all."""
    check_sizes(place)
    for name, entry in read_manifest(place).items():
        entry.check(name, entry.num_bytes, file_hash(place, name))


def is_whole(place: Folder) -> bool | None:
    """Whether a checkpoint is whole; None where it cannot be read just now, which proves nothing."""
    try:
        check_whole(place)
    except (TornError, *GONE):
        return False
    except OSError:
        return None
    return True
