"""The running Python environment as an archive that works wherever it is unpacked.

A virtual environment does not: it names its interpreter by an absolute path. So the archive holds the
interpreter and the standard library too, in the layout of an ordinary installation, which Python finds
relative to its executable. The nodes need the same operating system and processor, and no Python.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pipelines.errors import EnvironmentProblem

_LEFT_OUT = frozenset({"__pycache__", "site-packages", "dist-packages", "test", "idlelib", "turtledemo"})
"""Of the standard library: byte code (made anew), other installations' packages, CPython's own tests."""

_NOT_OURS = ("__editable__", "ringlake-", "ringlake.")
"""Names in site-packages that stand for this project, whose code is shipped by itself."""

PROGRESS_SECONDS = 10.0


def write_environment(target: Path, say: Callable[[str], None], compress: bool = True) -> None:
    """Write the archive of the interpreter that runs this, its standard library and its packages.

    Args:
        target: The archive (.tar.gz if compressed, else .tar), replaced when it is complete.
        say: Takes a line of progress.
        compress: gzip at its fastest level; without, the archive is about twice as large and made several
            times faster.

    Raises:
        EnvironmentProblem: This Python has no standard library as files, as in a frozen application.
    """
    entries = list(_entries())
    total = sum(path.stat().st_size for path, _ in entries if not path.is_symlink())
    say(f"environment: {len(entries):,} files, {total / 2**30:.1f} GiB of {sys.prefix}")
    half = target.with_name(f"{target.name}.half")
    done, last = 0, time.monotonic()
    began = last
    with _open(half, compress) as archive:
        for path, name in entries:
            archive.add(path, name, recursive=False, filter=_anonymous)
            done += 0 if path.is_symlink() else path.stat().st_size
            if (now := time.monotonic()) - last >= PROGRESS_SECONDS:
                last = now
                rate = done / (now - began)
                say(
                    f"environment: {done / 2**30:.1f} of {total / 2**30:.1f} GiB, "
                    f"{rate / 2**20:,.0f} MiB/s, {(total - done) / rate:.0f} s left"
                )
        for name, aim in _links():
            link = tarfile.TarInfo(name)
            link.type, link.linkname, link.mode = tarfile.SYMTYPE, aim, 0o777
            archive.addfile(link)
    half.replace(target)
    say(f"environment: {target} has {target.stat().st_size / 2**30:.2f} GiB")


def _open(path: Path, compress: bool) -> tarfile.TarFile:
    return tarfile.open(path, "w:gz", compresslevel=1) if compress else tarfile.open(path, "w")


def _version() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def _entries() -> Iterator[tuple[Path, str]]:
    """Path here and name in the archive of every file."""
    # The interpreter itself, not the link to it that a virtual environment has.
    yield Path(os.path.realpath(sys.executable)), f"bin/{_version()}"
    library = sysconfig.get_config_var("LDLIBRARY") or ""
    shared = Path(sysconfig.get_config_var("LIBDIR") or "/nonexistent") / library
    if ".so" in library and shared.is_file():
        yield Path(os.path.realpath(shared)), f"lib/{Path(os.path.realpath(shared)).name}"
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    if not (stdlib / "os.py").is_file():
        raise EnvironmentProblem(
            f"this Python has no standard library at {stdlib}; run `ringlake bundle` with an ordinary one"
        )
    yield from _walk(stdlib, f"lib/{_version()}", _LEFT_OUT)
    packages = sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]
    for place in dict.fromkeys(os.path.realpath(item) for item in packages):
        yield from _walk(Path(place), f"lib/{_version()}/site-packages", frozenset({"__pycache__"}), own=True)


def _walk(root: Path, name: str, left_out: frozenset[str], own: bool = False) -> Iterator[tuple[Path, str]]:
    for parent, folders, files in os.walk(root):
        relative = Path(parent).relative_to(root).as_posix()
        folders[:] = sorted(folder for folder in folders if folder not in left_out)
        if own and relative == ".":
            folders[:] = [folder for folder in folders if not folder.startswith(_NOT_OURS)]
            files = [file for file in files if not file.startswith(_NOT_OURS)]  # noqa: PLW2901
        for file in sorted(files):
            path = Path(parent, file)
            if path.is_symlink() and not path.exists():
                continue
            yield path, f"{name}/{file}" if relative == "." else f"{name}/{relative}/{file}"
        for folder in list(folders):
            if Path(parent, folder).is_symlink():
                yield (
                    Path(parent, folder),
                    f"{name}/{folder}" if relative == "." else (f"{name}/{relative}/{folder}"),
                )


def _links() -> Iterator[tuple[str, str]]:
    yield "bin/python3", _version()
    yield "bin/python", _version()
    # Debian's interpreter looks for packages under these names outside a virtual environment.
    yield f"lib/{_version()}/dist-packages", "site-packages"
    yield f"local/lib/{_version()}/dist-packages", f"../../../lib/{_version()}/site-packages"


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
