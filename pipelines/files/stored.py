"""One input file where it lies, on a local disk or behind an fsspec URL: its size and its bytes."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import pyarrow as pa

from conf.urls import without_secrets
from pipelines.errors import RinglakeError
from pipelines.files.record import Fault, FileFault
from pipelines.files.xz_stream import XzStream
from ringlake.base.clients import prepare_clients
from ringlake.base.storage import Folder

Compression = Literal["none", "gzip", "zstd", "bz2", "xz", "lz4"]

_BLOCK = 2**20

_SHORTAGES = (errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""What a process or a machine ran out of: memory, open files. It says nothing of the file."""


class StorageError(RinglakeError):
    """A file system failed while a file was read: the task is tried again, nothing is quarantined for it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file where it lies.

    Attributes:
        path: Absolute path on a local disk, or the path relative to `folder`.
        folder: URL of a folder on another file system; empty for local disks.
    """

    path: str
    folder: str = ""

    def size(self) -> int:
        """Its size in bytes now.

        Raises:
            FileFault: 'unreadable': it is gone, may not be read, or is a pipe, socket, device or folder,
                which could block for ever.
            OSError: Memory or open files ran out.
            StorageError: The file system did not answer.
        """
        if self.folder:
            with _faults(self):
                return _folder(self).describe(self.path).num_bytes
        try:
            status = os.stat(self.path)  # noqa: PTH116 - also called for each of 17,000 small files
        except OSError as error:
            raise FileFault(_unreadable(error)) from None
        if not stat.S_ISREG(status.st_mode):
            detail = "it is no regular file but a pipe, socket, device or folder"
            raise FileFault(Fault(0, "unreadable", detail))
        return status.st_size

    def open(self, compression: Compression = "none") -> BinaryIO:
        """A buffered stream of its bytes, decompressed; one that is not compressed can be sought.

        Raises:
            FileFault: 'unreadable'.
            OSError: Memory or open files ran out.
            StorageError: The file system did not answer.
        """
        if not self.folder:
            try:
                if compression in ("none", "xz"):
                    plain = Path(self.path).open("rb")  # noqa: SIM115 - the caller's to close
                    return plain if compression == "none" else _buffered(XzStream(plain))
                raw: Any = pa.OSFile(os.fsencode(self.path))
            except OSError as error:
                raise FileFault(_unreadable(error)) from None
            return _buffered(pa.CompressedInputStream(raw, compression))
        with _faults(self):
            remote = io.BufferedReader(_Remote(self), _BLOCK)
        if compression == "none":
            return remote
        if compression == "xz":
            return _buffered(XzStream(cast(BinaryIO, remote)))
        return _buffered(pa.CompressedInputStream(pa.PythonFile(remote, "r"), compression))


class _Remote(io.RawIOBase):
    """A file of an fsspec file system as a raw stream; it is read by `read` alone.

    Clients raise errors of all kinds, and hdfs-native gives the whole file where a line is asked for.
    """

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._size = _folder(stored).describe(stored.path).num_bytes
        self._context = _folder(stored).open(stored.path, "rb")
        self._handle = self._context.__enter__()
        self._position = 0
        # hdfs-native's reader seeks by itself; memory files are shared and may stand anywhere.
        self._handle.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        with _failures(self._stored):
            self._handle.seek(min(self._position, self._size))
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._position)
        if wanted <= 0:
            return 0
        with _failures(self._stored):
            found = self._handle.read(wanted)
        if not found:
            raise StorageError(f"{_shown(self._stored)}: the file ended before its size; run again")
        view[: len(found)] = found
        self._position += len(found)
        return len(found)

    def close(self) -> None:
        if not self.closed:
            with contextlib.suppress(Exception):
                self._context.__exit__(None, None, None)
        super().close()


def _buffered(raw: Any) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(raw, _BLOCK))


def _folder(stored: Stored) -> Folder:
    prepare_clients()
    return Folder(stored.folder)


def _shown(stored: Stored) -> str:
    return without_secrets(f"{stored.folder.rstrip('/')}/{stored.path}")


@contextlib.contextmanager
def _faults(stored: Stored) -> Any:
    """What says that the file cannot be read becomes a fault of the file; all else is a failure."""
    try:
        with _failures(stored):
            yield
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise FileFault(_unreadable(error)) from None
    except ValueError as error:
        raise FileFault(Fault(0, "unreadable", f"the file cannot be read: {error}")) from None


@contextlib.contextmanager
def _failures(stored: Stored) -> Any:
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError, ValueError, StorageError):
        raise
    except Exception as error:  # noqa: BLE001 - each file system raises errors of its own
        said = without_secrets(str(error)).partition("\n")[0] or type(error).__name__
        # The cause is left out: its message may hold the URL as it was given.
        raise StorageError(f"{_shown(stored)} could not be read: {said}") from None


def _unreadable(error: OSError) -> Fault:
    """The fault of a file that cannot be opened; OSError again where it is not for the file."""
    if error.errno in _SHORTAGES:
        raise error
    words = {FileNotFoundError: "No such file or directory", PermissionError: "Permission denied"}
    words[IsADirectoryError] = "it is a folder"
    reason = error.strerror or words.get(type(error), type(error).__name__)
    return Fault(0, "unreadable", f"the file cannot be read: {reason}")
