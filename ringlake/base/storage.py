"""The one door to files that may lie elsewhere: every path or URL is opened, written and renamed here.

Lakes, checkpoints, metrics and models may lie on a local disk, on HDFS (through hdfs-native, no libhdfs) or
behind any other fsspec URL. A `Folder` gives the few operations that are needed; `arrow_filesystem` gives the
same place to pyarrow.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.fs
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from ringlake.base.listing import Listed, find, version_of
from ringlake.base.named import VOLUMES, parse_named
from ringlake.base.scratch import scratch_folder

_RENAMES_ATOMICALLY = ("hdfs", "viewfs")
"""File systems beside the local ones whose rename is one step, and refuses an existing target unless told."""


def arrow_filesystem(location: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """The pyarrow file system of a path or URL, and the path on it."""
    filesystem, path = _filesystem(location)
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
        filesystem, path = _filesystem(self.location)
        return filesystem, path.rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether it lies on a disk of this machine.

        A volume of Unity Catalog does not, though it has a path: it is an object store behind FUSE, where
        files cannot be appended to or written at random, and a lock holds on one machine only.
        """
        filesystem, path = self._place
        return isinstance(filesystem, LocalFileSystem) and not f"{path}/".startswith(VOLUMES)

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

    def find(self, pattern: str = "") -> Iterator[Listed]:
        """The files below it that a pattern with wildcards matches; see `ringlake.base.listing.find`.

        Args:
            pattern: Relative to the folder; empty for all files, names that begin with a dot left out.

        Raises:
            FileNotFoundError: There is no such folder.
        """
        filesystem, path = self._place
        yield from find(filesystem, path, [part for part in pattern.split("/") if part])

    def all_files(self) -> list[str]:
        """Every file below it, hidden ones too, relative to it, sorted; empty if it does not exist."""
        filesystem, path = self._place
        filesystem.invalidate_cache()
        if not filesystem.isdir(path):
            return []
        begins = len(path.lstrip("/")) + 1
        # Some file systems give names without the slash that they begin with.
        return sorted(str(found).lstrip("/")[begins:] for found in filesystem.find(path))

    def describe(self, name: str) -> Listed:
        """A file in it, as a listing shows it.

        Raises:
            FileNotFoundError: There is no such file.
            IsADirectoryError: It is a folder.
        """
        filesystem, _ = self._place
        info = filesystem.info(self._path_of(name))
        if info["type"] != "file":
            raise IsADirectoryError(name)
        return Listed(name, int(info.get("size") or 0), version_of(info))

    def _path_of(self, name: str) -> str:
        filesystem, path = self._place
        full = f"{path}/{name}"
        if str(filesystem._strip_protocol(full)).rstrip("/") != full.rstrip("/"):
            # hdfs-native 0.14 takes what follows such a character for no part of the name.
            raise ValueError(f"the client for {filesystem.protocol} cannot open a name with '?', '#' or ';'")
        return full

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
        """Move it to a place that does not exist yet; atomic where the file system's rename is.

        Object stores have no rename and no folders: there each file is copied, then all are deleted.
        """
        filesystem, path = self._place
        destination = target._place[1]
        if isinstance(filesystem, LocalFileSystem):
            Path(path).rename(destination)
            if target.is_local:
                _sync_directory(Path(destination).parent)
        elif type(filesystem).mv is fsspec.AbstractFileSystem.mv:
            # fsspec's own way would copy the folder as if it were a file, too (fsspec and s3fs 2026.9).
            filesystem.invalidate_cache()
            for file in sorted(filesystem.find(path)):
                filesystem.cp_file(file, f"{destination}{file[len(path) :]}")
            filesystem.rm(path, recursive=True)
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
        with self.replacing(name) as handle:
            handle.write(content)

    @contextlib.contextmanager
    def replacing(self, name: str) -> Iterator[Any]:
        """A file to write to, which takes the place of another once the context ends without an error."""
        temporary = f".{name}.{os.getpid()}.tmp"
        filesystem, path = self._place
        try:
            with self.open(temporary, "wb") as handle:
                yield handle
                handle.flush()
                if self.is_local:
                    os.fsync(handle.fileno())
        except BaseException:
            with contextlib.suppress(OSError):
                self.delete(temporary)
            raise
        if isinstance(filesystem, LocalFileSystem):
            Path(path, temporary).replace(Path(path, name))
            self.sync()
        elif _is_hadoop(filesystem):
            filesystem.mv(f"{path}/{temporary}", f"{path}/{name}", overwrite=True)
        else:
            filesystem.mv(f"{path}/{temporary}", f"{path}/{name}")

    def append(self, name: str, content: bytes) -> None:
        """Add to the end of a file, which is made if there is none; where nothing appends it is rewritten."""
        filesystem, path = self._place
        if isinstance(filesystem, LocalFileSystem) and not self.is_local:
            before = self.read(name) if filesystem.exists(f"{path}/{name}") else b""
            self.replace(name, before + content)
            return
        with self.open(name, "ab") as handle:
            handle.write(content)

    def create_exclusively(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one of that name; False if there was.

        Of several that try at once one succeeds, on local disks, HDFS and where fsspec knows mode 'xb'; on
        other stores two that try in the same moment may both be told True.
        """
        filesystem, path = self._place
        if _is_hadoop(filesystem):
            temporary = f".{name}.{uuid.uuid4().hex}.tmp"
            self.write(temporary, content)
            try:
                filesystem.mv(f"{path}/{temporary}", f"{path}/{name}")
            except FileExistsError:
                filesystem.rm(f"{path}/{temporary}")
                return False
            return True
        try:
            with filesystem.open(f"{path}/{name}", "xb") as handle:
                handle.write(content)
        except FileExistsError:
            return False
        except (ValueError, NotImplementedError):
            if self.exists(name):
                return False
            self.write(name, content)
        return True

    def delete(self, name: str) -> None:
        """Delete a file in it; no error if it is not there."""
        filesystem, path = self._place
        filesystem.invalidate_cache()
        with contextlib.suppress(FileNotFoundError):
            filesystem.rm(f"{path}/{name}")

    def rename(self, name: str, new_name: str) -> None:
        """Rename a file in it; FileNotFoundError if it is gone."""
        filesystem, path = self._place
        filesystem.mv(f"{path}/{name}", f"{path}/{new_name}")

    def file(self, name: str) -> File:
        """The file of that name in it, which need not exist."""
        return File(self, name)

    def replace_by(self, source: Path) -> None:
        """Become a copy of a local folder, its folders too: there is the old content or the new one, whole.

        A reader that opens files one after the other may meet a moment without the folder. One process at a
        time does this to a folder; what one that was killed has left beside it goes first.
        """
        self.remove_staged()
        staged = Folder(f"{self.location.rstrip('/')}.new-{uuid.uuid4().hex[:8]}")
        staged.create()
        try:
            staged._copy_of(source)
            retired = Folder(f"{self.location.rstrip('/')}.old")
            retired.remove()
            if self.is_folder():
                self.rename_to(retired)
            staged.rename_to(self)
            retired.remove()
        except BaseException:
            with contextlib.suppress(OSError):
                staged.remove()
            raise

    def _copy_of(self, source: Path) -> None:
        """Takes all files of a local folder."""
        for path in sorted(source.iterdir()):
            if path.is_dir():
                within = self.child(path.name)
                within.create()
                within._copy_of(path)
                continue
            with path.open("rb") as given, self.open(path.name, "wb") as taken:
                shutil.copyfileobj(given, taken, 1 << 22)
                taken.flush()
                if self.is_local:
                    os.fsync(taken.fileno())
        self.sync()

    def remove_staged(self) -> None:
        """Delete what a process that was killed in `replace_by` left beside the folder."""
        parent, _, name = self.location.rstrip("/").rpartition("/")
        beside = Folder(parent or ("/" if self.location.startswith("/") else "."))
        for found in beside.names():
            if re.fullmatch(re.escape(name) + r"\.new-[0-9a-f]{8}", found):
                beside.child(found).remove()

    def is_folder(self) -> bool:
        """Whether it exists."""
        filesystem, path = self._place
        filesystem.invalidate_cache()
        return bool(filesystem.isdir(path))

    @contextlib.contextmanager
    def as_local(self, *within: str) -> Iterator[Path]:
        """The folder on a local disk: itself, or a copy of its plain files for as long as the context.

        Args:
            within: Folders in it of which the files are copied too, where there are such.
        """
        if self.is_local:
            yield self.local_path
            return
        with scratch_folder("ringlake-copy-") as place:
            self._copy_to(place)
            for name in within:
                folder = self.child(name)
                if folder.is_folder():
                    (place / name).mkdir()
                    folder._copy_to(place / name)
            yield place

    def _copy_to(self, place: Path) -> None:
        """Copies its plain files into a local folder."""
        filesystem, path = self._place
        for entry in filesystem.ls(path, detail=True):
            if entry["type"] == "file":
                name = str(entry["name"]).rsplit("/", 1)[-1]
                with filesystem.open(entry["name"], "rb") as given, (place / name).open("wb") as taken:
                    shutil.copyfileobj(given, taken, 1 << 22)

    @contextlib.contextmanager
    def open(self, name: str, mode: str) -> Iterator[Any]:
        """Open a file in it: 'rb', 'wb' or 'ab'; to be read by `read`, not by lines.

        hdfs-native's reader gives the whole file where a line is asked for (0.14.7).
        """
        filesystem, _ = self._place
        with filesystem.open(self._path_of(name), mode) as handle:
            yield handle

    def sync(self) -> None:
        """Make names that were written or renamed in it durable; local disks only need it."""
        if self.is_local:
            _sync_directory(self.local_path)


@dataclass(frozen=True)
class File:
    """A file in a folder on any file system.

    Attributes:
        folder: The folder.
        name: Its name there.
    """

    folder: Folder
    name: str

    @property
    def location(self) -> str:
        """Its path or URL."""
        return f"{self.folder.location.rstrip('/')}/{self.name}"

    def __str__(self) -> str:
        return self.location

    def exists(self) -> bool:
        """Whether it is there."""
        return self.folder.exists(self.name)

    def read_text(self) -> str:
        """Its content; FileNotFoundError if it is not there, UnicodeDecodeError if it is no UTF-8."""
        return self.folder.read(self.name).decode()

    def replace(self, text: str) -> None:
        """Write it so that a reader sees the old content or the new one, never a part."""
        self.folder.replace(self.name, text.encode())


def folder_of(location: str | os.PathLike[str]) -> Folder:
    """The folder at a path, made absolute, or at a URL; `file://` URLs become paths.

    Of a lake whose tables have names it is the folder of its files.
    """
    text = os.fspath(location)
    if (named := parse_named(text)) is not None:
        return Folder(named[1])
    if "://" in text and not text.startswith("file://"):
        return Folder(text.rstrip("/"))
    return Folder(str(Path(text.removeprefix("file://")).expanduser().absolute()))


_CLIENTS: dict[int, fsspec.AbstractFileSystem] = {}


def _filesystem(location: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a path or URL, and the path on it.

    fsspec forgets its file systems in a forked child. Where nothing else holds the client of hdfs-native, its
    end then waits for threads that the child does not have, and `subprocess` never comes to start a program
    (fsspec 2026.9, hdfs-native 0.14.7). So each is held here.
    """
    filesystem, path = url_to_fs(location)
    _CLIENTS[id(filesystem)] = filesystem
    return filesystem, path


def _is_hadoop(filesystem: fsspec.AbstractFileSystem) -> bool:
    protocol = filesystem.protocol
    names = (protocol,) if isinstance(protocol, str) else protocol
    return any(name in _RENAMES_ATOMICALLY for name in names)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
