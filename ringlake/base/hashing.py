"""SHA-256 of files of any size on any file system; large ones are not read again while they do not change."""

from __future__ import annotations

import hashlib

from ringlake.base.storage import Folder

LARGE_BYTES = 64 << 20
"""Files from this size on are remembered; smaller ones are read each time."""

_MOST_REMEMBERED = 4096

_CHUNK_BYTES = 4 << 20

_REMEMBERED: dict[tuple[object, ...], str] = {}


def file_hash(folder: Folder, name: str) -> str:
    """SHA-256 of a file, hexadecimal.

    A large one is read once in a process, as long as the file system tells of no change: on a local disk by
    inode, size and the times of change, of which no program can set the last; elsewhere by size and version.
    """
    key = _change_key(folder, name)
    if key is not None and key in _REMEMBERED:
        return _REMEMBERED[key]
    digest = hashlib.sha256()
    with folder.open(name, "rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    _remember(key, digest.hexdigest())
    return digest.hexdigest()


def remember_hash(folder: Folder, name: str, sha256: str) -> None:
    """Note the hash of a file that this process has just written, so that it is not read to be known."""
    _remember(_change_key(folder, name), sha256)


def _change_key(folder: Folder, name: str) -> tuple[object, ...] | None:
    """What is another value once a large file has changed; None for a small one."""
    if folder.is_local:
        status = (folder.local_path / name).stat()
        times = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        size, change = status.st_size, str(times)
    else:
        listed = folder.describe(name)
        size, change = listed.num_bytes, listed.version
    return (folder.location, name, size, change) if size >= LARGE_BYTES else None


def _remember(key: tuple[object, ...] | None, sha256: str) -> None:
    if key is None:
        return
    if len(_REMEMBERED) >= _MOST_REMEMBERED:
        _REMEMBERED.clear()
    _REMEMBERED[key] = sha256
