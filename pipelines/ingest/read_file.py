"""One input file to rows: opened, verified, read, counted; its faults become rows, never exceptions."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from conf.data import IngestConfig
from pipelines.ingest.decompress import Compression, actual_compression, open_stream, verify
from pipelines.ingest.discover import InputFile, unknown_format_detail
from pipelines.ingest.readers import READERS, Reader
from pipelines.ingest.record import Document, Fault, FileFault, Skipped


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A fault and whether it cost the whole file ('file') or one record ('row')."""

    scope: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a file: records = kept + quarantined, always.

    A file that is quarantined as a whole counts as one record, because how many it held is not known.
    What was never meant to be a document (`skipped`, by what it is) is no record.
    """

    compression: Compression
    kept: int
    quarantined: int
    repaired: int
    is_whole_file_quarantined: bool
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Records the reader came across."""
        return self.kept + self.quarantined

    @property
    def state(self) -> str:
        """'read', 'partly read' or 'quarantined'."""
        if self.is_whole_file_quarantined:
            return "quarantined"
        return "partly read" if self.quarantined else "read"


def read_file(file: InputFile, config: IngestConfig) -> Iterator[Document | Quarantined | Summary]:
    """The documents and faults of one file in its order, then the summary.

    Raises:
        OSError: The file could be read to its end, and then no longer: it changed, or the disk failed.
    """
    compression: Compression = "none"
    kept = quarantined = repaired = 0
    skipped: Counter[str] = Counter()
    try:
        reader = READERS.get(file.format)
        if reader is None:
            raise FileFault(Fault(0, "unknown_format", unknown_format_detail(config)))
        _refuse_irregular(file.path)
        compression = _compression(file, reader)
        opened: Compression = "none" if reader.reads_members and compression == "gzip" else compression
        verify(file.path, opened, config.max_file_bytes, config.max_expansion)
        with _open(file.path, opened) as stream:
            for row in reader.read(stream, file.source, config):
                if isinstance(row, Document):
                    kept += 1
                    repaired += row.repaired
                    yield row
                elif isinstance(row, Skipped):
                    skipped[row.what] += 1
                else:
                    quarantined += 1
                    yield Quarantined("row", row)
        if not kept and not quarantined and not skipped and reader.needs_records:
            detail = f"the file has no record: {file.num_bytes:,} bytes, all of them blank"
            raise FileFault(Fault(0, "empty", detail))
    except FileFault as error:
        if kept or quarantined:
            raise AssertionError(
                f"{file.source}: reader {file.format!r} refused the file after its first record"
            ) from error
        yield Quarantined("file", error.fault)
        yield Summary(compression, 0, 1, 0, is_whole_file_quarantined=True)
        return
    yield Summary(compression, kept, quarantined, repaired, is_whole_file_quarantined=False, skipped=skipped)


def _compression(file: InputFile, reader: Reader) -> Compression:
    if file.compression == "none" and "python-docs" in reader.collections:
        return "none"
    return actual_compression(file.path, file.compression)


def _open(path: str, compression: Compression) -> BinaryIO:
    try:
        return open_stream(path, compression)
    except OSError as error:
        raise FileFault(_unreadable(error)) from None


def _refuse_irregular(path: str) -> None:
    """Refuses pipes, sockets and devices, which could block for ever, and what cannot be looked at."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - also called for each of 17,000 small files
    except OSError as error:
        raise FileFault(_unreadable(error)) from None
    if not stat.S_ISREG(mode):
        raise FileFault(Fault(0, "unreadable", "it is no regular file but a pipe, socket, device or folder"))


def _unreadable(error: OSError) -> Fault:
    return Fault(0, "unreadable", f"the file cannot be read: {error.strerror}")
