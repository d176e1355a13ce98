"""The one door to files on the training side: every path or URL is opened, written and renamed here.

Tables, checkpoints, metrics and models may lie on a local disk or behind any fsspec URL. A `Folder` gives
the few operations that training needs; `arrow_filesystem` gives the same place to pyarrow.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.fs
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem


def arrow_filesystem(location: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """The pyarrow file system of a path or URL, and the path on it."""
    filesystem, path = url_to_fs(location)
    if isinstance(filesystem, LocalFileSystem):
        return pyarrow.fs.LocalFileSystem(), path
    return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(filesystem)), path


@dataclass(frozen=True)
class Folder:
    """A folder on any file system.

    Attributes:
        location: Its path or URL.
    """

    location: str

    @property
    def _place(self) -> tuple[fsspec.AbstractFileSystem, str]:
        filesystem, path = url_to_fs(self.location)
        return filesystem, path.rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether it lies on a disk of this machine."""
        return isinstance(self._place[0], LocalFileSystem)

    @property
    def local_path(self) -> Path:
        """The folder as a local path.

        Raises:
            ValueError: It is not on a local disk.
        """
        if not self.is_local:
            raise ValueError(f"{self.location} is not on a local disk; give a local folder")
        return Path(self._place[1])

    def child(self, name: str) -> Folder:
        """The folder of that name in it."""
        return Folder(f"{self.location.rstrip('/')}/{name}")

    def names(self) -> list[str]:
        """Names of the files and folders in it, sorted; empty if it does not exist."""
        filesystem, path = self._place
        filesystem.invalidate_cache()
        if not filesystem.isdir(path):
            return []
        return sorted(
            str(entry).rstrip("/").rsplit("/", 1)[-1] for entry in filesystem.ls(path, detail=False)
        )

    def exists(self, name: str) -> bool:
        """Whether a file or folder of that name is in it."""
        filesystem, path = self._place
        filesystem.invalidate_cache()
        return bool(filesystem.exists(f"{path}/{name}"))

    def create(self) -> None:
        """Make it and its parents; no error if it is there."""
        filesystem, path = self._place
        filesystem.makedirs(path, exist_ok=True)

    def remove(self) -> None:
        """Delete it and all it holds; no error if it is not there."""
        filesystem, path = self._place
        filesystem.invalidate_cache()
        if filesystem.exists(path):
            filesystem.rm(path, recursive=True)

    def rename_to(self, target: Folder) -> None:
        """Move it to a place that does not exist yet; atomic where the file system's rename is."""
        filesystem, path = self._place
        destination = target._place[1]
        if isinstance(filesystem, LocalFileSystem):
            Path(path).rename(destination)
            _sync_directory(Path(destination).parent)
        else:
            filesystem.mv(path, destination, recursive=True)

    def size(self, name: str) -> int:
        """Bytes of a file in it."""
        filesystem, path = self._place
        return int(filesystem.size(f"{path}/{name}"))

    def read(self, name: str) -> bytes:
        """Content of a file in it."""
        with self.open(name, "rb") as handle:
            return bytes(handle.read())

    def write(self, name: str, content: bytes) -> None:
        """Write a file in it; on a local disk it is on the platter when this returns."""
        with self.open(name, "wb") as handle:
            handle.write(content)
            handle.flush()
            if self.is_local:
                os.fsync(handle.fileno())

    def replace(self, name: str, content: bytes) -> None:
        """Write a file so that a reader, or a crash, sees the old content or the new one, never a part."""
        temporary = f".{name}.{os.getpid()}.tmp"
        self.write(temporary, content)
        filesystem, path = self._place
        if isinstance(filesystem, LocalFileSystem):
            Path(path, temporary).replace(Path(path, name))
            _sync_directory(Path(path))
        else:
            filesystem.mv(f"{path}/{temporary}", f"{path}/{name}")

    @contextlib.contextmanager
    def open(self, name: str, mode: str) -> Iterator[Any]:
        """Open a file in it: 'rb', 'wb' or 'ab'."""
        filesystem, path = self._place
        with filesystem.open(f"{path}/{name}", mode) as handle:
            yield handle

    def sync(self) -> None:
        """Make names that were written or renamed in it durable; local disks only need it."""
        if self.is_local:
            _sync_directory(self.local_path)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
