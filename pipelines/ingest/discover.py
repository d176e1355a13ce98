"""Which files an ingest reads: globs, folders and files become a sorted list with stable names."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from conf.data import IngestConfig
from pipelines.errors import InputError
from pipelines.ingest import installation
from pipelines.ingest.decompress import Compression
from pipelines.ingest.readers import UNKNOWN, format_of, known_formats


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to read.

    Attributes:
        path: Absolute path; bytes that are not UTF-8 as surrogates, as the os module has them.
        source: Its name in every table: relative to its input, unique, printable as UTF-8.
        format: Name of its reader, or 'unknown'.
        compression: What its extension promises.
        num_bytes: Size as stored; 0 if it cannot be known.
        mtime_ns: Time of its last change, in nanoseconds.
    """

    path: str
    source: str
    format: str
    compression: Compression
    num_bytes: int
    mtime_ns: int


def discover(config: IngestConfig) -> list[InputFile]:
    """The files of the configured inputs, sorted by source; the same for any order of the inputs.

    A file's source is its path relative to its input: to a folder, to a glob's part before the first
    wildcard, or the name alone of a file. Where two files would get the same source, both take as many
    more folders of their absolute path as tell them apart. In folders, names that begin with a dot are
    left out, as shells do.

    Raises:
        InputError: There is no input, or one of them matches no file.
    """
    if not config.inputs and config.format != "python-docs":
        raise InputError(
            "ingest.inputs is empty: name at least one file, folder or glob, "
            "or set ingest.format to python-docs for this Python's own documentation"
        )
    named: dict[str, str] = {}
    found = installation.files() if not config.inputs else _from_inputs(config)
    for path, source in found:
        known = named.get(path)
        if known is None or (len(source), source) < (len(known), known):
            named[path] = source
    files = [_input_file(path, source, config.format) for path, source in _unique_sources(named).items()]
    if not files:
        raise InputError(
            f"ingest.inputs: no file of {list(config.inputs)} is documentation that {config.format} reads"
        )
    return sorted(files, key=lambda file: file.source)


def fingerprint(files: Iterable[InputFile]) -> str:
    """A hash of what would be read: SHA-256 over source, size and time of change of every file."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(json.dumps([file.source, file.num_bytes, file.mtime_ns]).encode())
    return digest.hexdigest()


def _from_inputs(config: IngestConfig) -> Iterator[tuple[str, str]]:
    for given in config.inputs:
        matches = list(_expand(given))
        if not matches:
            raise InputError(
                f"ingest.inputs: {given!r} matches no file (working folder: {str(Path.cwd())!r})"
            )
        is_named = Path(given).expanduser().is_file()
        for path, source in matches:
            # A folder of Python files holds much that is no documentation: compiled modules, data.
            if config.format != "python-docs" or is_named or format_of(path, config.format)[0] != UNKNOWN:
                yield path, source


def _expand(given: str) -> Iterator[tuple[str, str]]:
    """The absolute path and the source of every file that one input names."""
    pattern = os.path.expanduser(given)  # noqa: PTH111 - Path would fold a//b and ./ in patterns
    if os.path.lexists(pattern):
        path = os.path.abspath(pattern)  # noqa: PTH100 - a link keeps its own name
        yield from _walk(path, path) if Path(path).is_dir() else [(path, Path(path).name)]
        return
    root = _fixed_folder(pattern)
    for match in glob.iglob(pattern, recursive=True):  # noqa: PTH207 - absolute and relative patterns alike
        path = os.path.abspath(match)  # noqa: PTH100
        yield from _walk(path, root) if Path(path).is_dir() else [(path, _relative(path, root))]


def _fixed_folder(pattern: str) -> str:
    """The folder before a pattern's first wildcard."""
    parts = Path(pattern).parts
    fixed: list[str] = []
    for part in parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return os.path.abspath(Path(*fixed))  # noqa: PTH100


def _walk(folder: str, root: str) -> Iterator[tuple[str, str]]:
    def refuse(error: OSError) -> None:
        raise InputError(f"the folder {error.filename!r} cannot be read: {error.strerror}")

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                path = os.path.join(parent, name)  # noqa: PTH118 - once for each of perhaps a million files
                yield path, _relative(path, root)


def _relative(path: str, root: str) -> str:
    relative = os.path.relpath(path, root)
    return Path(path).name if relative.startswith("..") else relative


def _unique_sources(named: dict[str, str]) -> dict[str, str]:
    """The same files with sources that are all different and can be written as UTF-8."""
    sources = {path: _printable(source) for path, source in named.items()}
    depth = {path: source.count("/") + 1 for path, source in sources.items()}
    while True:
        counts = Counter(sources.values())
        colliding = [path for path, source in sources.items() if counts[source] > 1]
        if not colliding:
            return sources
        for path in colliding:
            depth[path] += 1
            parts = [part for part in _printable(path).split("/") if part]
            sources[path] = "/".join(parts[-depth[path] :])
            if depth[path] > len(parts):
                # Only names that are not UTF-8 can still agree, with others that spell out the escapes.
                sources[path] += "#" + hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _input_file(path: str, source: str, wanted: str) -> InputFile:
    reader, compression = format_of(path, wanted)
    file = InputFile(path, source, reader, compression, 0, 0)
    try:
        status = Path(path).stat()
    except OSError:
        # The reader meets the same error and quarantines the file, so that it is not lost in silence.
        return file
    return replace(file, num_bytes=status.st_size, mtime_ns=status.st_mtime_ns)


def unknown_format_detail(config: IngestConfig) -> str:
    """What to tell about a file that no reader knows."""
    known = known_formats(config.format)
    return f"no reader knows its extension; known are {known}; set ingest.format to force one"
