"""The readers by name: a new format is a function and an entry here.

Readers of other packages are those that their entry points in the group `ringlake.formats` name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import BinaryIO

from conf.ingest import IngestConfig
from pipelines.files.decompress import compression_of_name
from pipelines.files.record import Document, Fault, Skipped
from pipelines.files.stored import Compression
from pipelines.ingest.formats.python_chats import read_definitions
from pipelines.ingest.formats.python_docs import read_metadata, read_page, read_python
from pipelines.ingest.formats.read_chat import read_chat
from pipelines.ingest.formats.read_csv import read_csv, read_tsv
from pipelines.ingest.formats.read_html import read_html
from pipelines.ingest.formats.read_jsonl import read_jsonl
from pipelines.ingest.formats.read_mo import read_mo
from pipelines.ingest.formats.read_parquet import read_parquet
from pipelines.ingest.formats.read_po import read_po
from pipelines.ingest.formats.read_squad import read_squad
from pipelines.ingest.formats.read_text import read_text
from pipelines.ingest.formats.read_warc import read_warc, read_wet
from ringlake.base.extensions import Door, Extension, ExtensionError

Read = Callable[[BinaryIO, str, IngestConfig], Iterator[Document | Fault | Skipped]]

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Reader:
    """How files of one format are read.

    Attributes:
        name: Name of the format in `sources`.
        read: Yields the documents and faults of a stream; a `FileFault` comes before the first of them.
        extensions: File extensions, in lower case.
        names: File names that have the format whatever their extension.
        needs_records: Whether a file without any record is a fault; most Python files are fine without.
        reads_members: Whether it takes a gzip file as it is and believes its members one by one, so that
            one that is cut keeps what was whole.
        collections: The values of `ingest.format` under which it is chosen by extension or name.
        by_line: Whether a record is a line and a blank line none, under a configuration; then a large file
            is read in parts by several tasks, and the reader may refuse it for its first bytes only.
    """

    name: str
    read: Read
    extensions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    needs_records: bool = True
    reads_members: bool = False
    collections: tuple[str, ...] = ("auto",)
    by_line: Callable[[IngestConfig], bool] = lambda _config: False


_PYTHON_DOCS = ("python-docs",)
_PYTHON_CHATS = ("python-chats",)
_CATALOGUES = ("catalogues",)

_OF_MODULES = frozenset({*_PYTHON_DOCS, *_PYTHON_CHATS})
"""Collections whose files are never compressed."""

READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        Reader(
            "jsonl",
            read_jsonl,
            (".jsonl", ".ndjson", ".json-lines", ".jsonlines", ".json"),
            by_line=lambda _config: True,
        ),
        Reader("text", read_text, (".txt", ".text"), by_line=lambda config: config.text_unit == "line"),
        Reader("parquet", read_parquet, (".parquet",)),
        Reader("csv", read_csv, (".csv",)),
        Reader(
            "tsv",
            read_tsv,
            (".tsv",),
            by_line=lambda config: bool(config.columns) and config.quoting != "double",
        ),
        Reader("html", read_html, (".html", ".htm")),
        Reader("warc", read_warc, (".warc",), reads_members=True),
        Reader("wet", read_wet, (".wet",), reads_members=True),
        Reader("chat", read_chat, collections=(), by_line=lambda _config: True),
        Reader("squad", read_squad, collections=()),
        Reader("mo", read_mo, (".mo",), collections=_CATALOGUES),
        Reader("po", read_po, (".po",), collections=_CATALOGUES),
        Reader("python", read_python, (".py",), needs_records=False, collections=_PYTHON_DOCS),
        Reader("definitions", read_definitions, (".py",), needs_records=False, collections=_PYTHON_CHATS),
        Reader("page", read_page, (".md", ".rst"), needs_records=False, collections=_PYTHON_DOCS),
        Reader(
            name="metadata",
            read=read_metadata,
            names=("METADATA", "PKG-INFO"),
            needs_records=False,
            collections=_PYTHON_DOCS,
        ),
    )
}


_TAKEN = frozenset({*READERS, *_OF_MODULES, *_CATALOGUES, "auto", "delta"})

DOOR: Door[Reader] = Door("formats", "format", (Reader,), lambda: _TAKEN)
"""Readers of other packages."""


def reader_of(name: str) -> Reader | None:
    """The reader of a format: ours, or that of an extension; None if there is none.

    Raises:
        ExtensionError: That of an extension cannot be used.
    """
    return READERS.get(name) or DOOR.get(name)


def extensions_of(formats: Iterable[str]) -> tuple[Extension, ...]:
    """What of other packages reads these formats."""
    return DOOR.used(formats)


def format_of(name: str, wanted: str) -> tuple[str, Compression]:
    """The reader for a file name, 'unknown' if there is none, and the compression that the name promises.

    Args:
        name: File name or path.
        wanted: `ingest.format`: the name of a reader, or a collection such as 'auto'.

    Raises:
        ExtensionError: A reader of an extension cannot be used, or two claim the file's extension.
    """
    if wanted in READERS or wanted in DOOR.names():
        return wanted, compression_of_name(name)[1]
    stem, compression = compression_of_name(name)
    if wanted in _OF_MODULES:
        stem, compression = name, "none"
    path = PurePosixPath(stem)
    for reader in _collection(wanted):
        if path.suffix.lower() in reader.extensions or path.name in reader.names:
            return reader.name, compression
    return UNKNOWN, compression


def is_of_modules(reader: Reader) -> bool:
    """Whether a reader's files are those of Python modules and packages, which nobody compresses."""
    return not _OF_MODULES.isdisjoint(reader.collections)


def known_formats(wanted: str) -> str:
    """The formats of a collection for a message, e.g. 'jsonl (.jsonl, .ndjson), text (.txt)'."""
    shown = {reader.name: ", ".join((*reader.extensions, *reader.names)) for reader in _collection(wanted)}
    return ", ".join(f"{name} ({names})" for name, names in shown.items())


def _collection(wanted: str) -> list[Reader]:
    """The readers among which a file's name chooses: ours, then those of extensions."""
    every = (*READERS.values(), *_added(DOOR.installed()))
    return [reader for reader in every if wanted in reader.collections]


@lru_cache(maxsize=8)
def _added(extensions: tuple[Extension, ...]) -> tuple[Reader, ...]:
    """Readers of extensions; none of them claims a file name that another one, or ringlake, reads."""
    owners = {end: "ringlake" for reader in READERS.values() for end in (*reader.extensions, *reader.names)}
    found = []
    for extension in DOOR.used(extension.name for extension in extensions):
        reader = DOOR.load(extension)
        for end in (*reader.extensions, *reader.names):
            if owners.setdefault(end, extension.origin) != extension.origin:
                raise ExtensionError(
                    f"format {reader.name!r} of {extension.origin} claims files {end!r}, which {owners[end]} "
                    f"reads; uninstall {extension.distribution}, or have it claim other files"
                )
        found.append(reader)
    return tuple(found)
