"""Reading a list: UTF-8, one entry a line, blank lines and lines that begin with # left out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath

from pipelines.errors import InputError
from ringlake.base.storage import Folder, folder_of

MAX_LIST_BYTES = 256 * 2**20
"""Largest list; the lists of the University of Toulouse (UT1) have 4.6 million domains."""

MAX_ENTRY_CHARACTERS = 2_000


def read_list(key: str, location: str) -> list[str]:
    """The entries of a list, stripped, in their order.

    Args:
        key: The key of the configuration that names the list, for messages.
        location: Its path or URL.

    Raises:
        InputError: It cannot be read, is too large, is no UTF-8 or has a line that is too long.
    """
    content = _content(key, location)
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{key}: {location} is no UTF-8 at byte {error.start}; save it as UTF-8, one entry a line"
        ) from None
    entries = []
    for number, line in enumerate(lines, start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        if len(entry) > MAX_ENTRY_CHARACTERS:
            raise InputError(
                f"{key}: line {number} of {location} has {len(entry):,} characters, more than the "
                f"{MAX_ENTRY_CHARACTERS:,} that an entry may have; a list has one entry a line"
            )
        entries.append(entry)
    return entries


def fingerprint(lists: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over keys, places and contents of lists, '' without any: a changed list reruns its stage."""
    digest = hashlib.sha256()
    some = False
    for key, location in lists:
        some = True
        content = hashlib.sha256(_content(key, location)).hexdigest()
        digest.update(f"{key}\0{location}\0{content}\n".encode())
    return digest.hexdigest() if some else ""


def _content(key: str, location: str) -> bytes:
    folder, name = _place(location)
    try:
        with folder.open(name, "rb") as stream:
            content = bytes(stream.read(MAX_LIST_BYTES + 1))
    except (OSError, ValueError, ImportError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(
            f"{key}: the list {location!r} cannot be read: {reason}; name an existing file"
        ) from None
    if len(content) > MAX_LIST_BYTES:
        raise InputError(
            f"{key}: {location} has more than the {MAX_LIST_BYTES:,} bytes that a list may have; split it"
        )
    return content


def _place(location: str) -> tuple[Folder, str]:
    whole = PurePosixPath(folder_of(location).location)
    parent, _, name = folder_of(location).location.rpartition("/")
    return Folder(parent or "/"), name or whole.name
