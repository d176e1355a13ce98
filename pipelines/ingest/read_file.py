"""One input file to rows: opened, verified, read, counted; its faults become rows, never exceptions."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from conf.ingest import IngestConfig
from conf.patterns import first_group
from pipelines.files.decompress import actual_compression, verify
from pipelines.files.record import Document, Fault, FileFault, Skipped
from pipelines.files.stored import Compression, StorageError
from pipelines.ingest.discover import InputFile, unknown_format_detail
from pipelines.ingest.formats.fields import blank, missing
from pipelines.ingest.many_faults import Faults
from pipelines.ingest.parts import Part, PartStream, open_part
from pipelines.ingest.readers import Reader, is_of_modules, reader_of
from pipelines.text.blank import is_blank

_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A fault and whether it cost the whole file ('file') or one record ('row')."""

    scope: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a file or a part of one: records = kept + quarantined, always.

    A file that is quarantined as a whole counts as one record, because how many it held is not known.
    What was never meant to be a document (`skipped`, by what it is) is no record. `num_lines` is the number
    of line feeds in a part, 0 for a whole file.
    """

    compression: Compression
    kept: int
    quarantined: int
    repaired: int
    is_whole_file_quarantined: bool
    num_lines: int = 0
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


def read_part(part: Part, config: IngestConfig) -> Iterator[Document | Quarantined | Summary]:
    """The documents and faults of a file, or of a part of one, in its order, then the summary.

    Of very many faults those behind the first are added up, and told behind the last record (`many_faults`).

    Offsets are those of the file. Line numbers count from the line feed before the part's first line, so
    that those of a later part lack the lines of the parts before it, whose summaries have them. What is
    wrong with a file as a whole is told by its first part alone; only that a file in parts has no record is
    left to the caller, who has all its summaries.

    Raises:
        OSError: The file could be read to its end, and then no longer: it changed, or the disk failed.
        StorageError: The same on another file system; or a file in parts has not the size it had.
        MemoryError: This process has too little memory for what the limits of the configuration allow. The
            file may be good, and would count as bad on one machine and not on another.
    """
    file = part.file
    compression: Compression = "none"
    kept = repaired = num_lines = 0
    faults = Faults()
    skipped: Counter[str] = Counter()
    lines: PartStream | None = None
    try:
        reader = reader_of(file.format)
        if reader is None:
            raise FileFault(Fault(0, "unknown_format", unknown_format_detail(config)))
        if not part.is_whole:
            _refuse_changed(file)
        label = file_label(file.source, config)
        file.stored.size()  # it must be a file that can be looked at, before anything opens it
        compression = _compression(file, reader)
        is_in_parts = not part.is_whole and (compression == "none" or part.of > 1)
        if part.index and not is_in_parts:
            yield Summary(compression, 0, 0, 0, is_whole_file_quarantined=False)
            return
        opened: Compression = "none" if reader.reads_members and compression == "gzip" else compression
        decompressed = verify(file.stored, opened, config.max_file_bytes, config.max_expansion)
        if part.index and _is_refused(file, opened, reader, config):
            yield Summary(compression, 0, 0, 0, is_whole_file_quarantined=False)
            return
        with file.stored.open(opened) as stream:
            given, offset = stream, 0
            if is_in_parts:
                lines, given = open_part(stream, part, decompressed)
                offset = lines.offset
            for row in reader.read(given, file.source, config):
                if isinstance(row, Document):
                    kept += 1
                    repaired += row.repaired
                    yield row if label is None and not offset else _moved(row, offset, label)
                elif isinstance(row, Skipped):
                    skipped[row.what] += 1
                elif faults.take(fault := _shifted(row, offset) if part.index else row):
                    yield Quarantined("row", fault)
            for fault in faults.others():
                yield Quarantined("row", fault)
            num_lines = lines.num_lines if lines is not None else 0
        is_empty = part.is_whole and not kept and not faults.total and not skipped
        if is_empty and reader.needs_records:
            raise FileFault(Fault(0, "empty", empty_detail(f"{file.num_bytes:,}")))
    except (OSError, StorageError):
        raise
    except MemoryError as error:
        raise MemoryError(f"while the input file {file.source!r} was read: {error!s:.200}") from error
    except Exception as error:  # noqa: BLE001 - whatever a file does to its reader, it costs that file
        is_refused = isinstance(error, FileFault)
        fault = error.fault if isinstance(error, FileFault) else _failed(file, error)
        if kept or faults.total or not (part.is_whole or is_refused):
            # What was read is believed; the rest is one record, which nobody can know the size of.
            if faults.take(fault):
                yield Quarantined("row", fault)
            for other in faults.others():
                yield Quarantined("row", other)
            num_lines = lines.num_lines if lines is not None else 0
        elif part.index:
            # What refuses a file refuses its first part too, which tells it.
            yield Summary(compression, 0, 0, 0, is_whole_file_quarantined=False)
            return
        else:
            yield Quarantined("file", fault)
            yield Summary(compression, 0, 1, 0, is_whole_file_quarantined=True)
            return
    yield Summary(compression, kept, faults.total, repaired, False, num_lines, skipped)


def read_file(file: InputFile, config: IngestConfig) -> Iterator[Document | Quarantined | Summary]:
    """The documents and faults of a whole file, then the summary; see `read_part`."""
    return read_part(Part(file), config)


def empty_detail(num_bytes: str) -> str:
    """What to tell about a file without a record, its size given as text."""
    return f"the file has no record: {num_bytes} bytes, all of them blank"


def _failed(file: InputFile, error: Exception) -> Fault:
    """The fault of a file whose reader met what it does not know."""
    said = f"{type(error).__name__}: {error!s:.200}"
    return Fault(0, "reader_failed", f"the reader {file.format!r} cannot go on from here ({said})")


def _compression(file: InputFile, reader: Reader) -> Compression:
    if file.compression == "none" and is_of_modules(reader):
        return "none"
    return actual_compression(file.stored, file.compression)


def _is_refused(file: InputFile, compression: Compression, reader: Reader, config: IngestConfig) -> bool:
    """Whether the reader refuses the file as a whole, which it does for its first bytes or not at all."""
    with file.stored.open(compression) as stream:
        head = io.BytesIO(stream.read(_HEAD_BYTES))
    try:
        next(reader.read(head, file.source, config), None)
    except FileFault:
        return True
    return False


def _refuse_changed(file: InputFile) -> None:
    """Parts of a file are of one file: had it gone or changed in between, some of it would be missing."""
    try:
        now = f"{file.stored.size():,}"
    except FileFault as error:
        now = error.fault.detail
    if now != f"{file.num_bytes:,}":
        raise StorageError(
            f"{file.source} changed while it was read: {file.num_bytes:,} bytes when it was listed, "
            f"{now} now; run again when nothing writes to it"
        )


def file_label(source: str, config: IngestConfig) -> str | None:
    """The label that a file's name gives all of its documents; None where the configuration wants none.

    Raises:
        FileFault: The pattern is not found in the name, or what it finds shows nothing.
    """
    if config.label_pattern is None:
        return None
    found = first_group(config.label_pattern, source)
    told = f"ingest.label_pattern = {config.label_pattern!r}"
    if found is None:
        detail = f"its name does not have what gives it a label: {told} is not found in {source!r:.200}"
        raise FileFault(Fault(0, missing("label"), detail))
    if is_blank(found):
        detail = f"its name gives it a label that shows nothing: the first group of {told} in {source!r:.200}"
        raise FileFault(Fault(0, blank("label"), detail))
    return found


def _moved(row: Document, offset: int, label: str | None) -> Document:
    # dataclasses.replace takes several times as long, for every document of a large file.
    return Document(
        row.offset + offset,
        row.source_id,
        row.kind,
        row.text,
        row.repaired,
        row.url,
        row.target,
        row.metadata,
        row.label if label is None else label,
    )


def _shifted(fault: Fault, offset: int) -> Fault:
    """A fault of a later part: its stream begins with a line feed that belongs to no line of the part."""
    line = None if fault.line is None else fault.line - 1
    return replace(fault, offset=fault.offset + offset, line=line)
