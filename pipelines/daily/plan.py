"""What a daily batch reads: files that are new or changed since the last one, and which are gone.

A file is known by its source. It is unchanged if its size and its time of change (ETag, version of a table)
are what they were; if they are not, the SHA-256 of its bytes decides. So a day costs a look at each file's
entry in its folder and reads no byte of what did not change.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pipelines.files.record import FileFault
from pipelines.ingest.discover import DELTA, InputFile
from pipelines.lake import Catalog, Lake, read_sql
from schemas.batches import BATCHES
from schemas.sources import SOURCES

Kind = Literal["new", "late", "replaced"]

_BLOCK = 2**20


@dataclass(frozen=True)
class Known:
    """What the last batch that met a file says of it: columns of `sources`."""

    source: str
    num_bytes: int
    change: str
    checksum: str | None
    version: str | None


@dataclass(frozen=True)
class Changed:
    """A file that a batch reads.

    Attributes:
        file: The file.
        change: Why.
        checksum: SHA-256 of its stored bytes; None for a table, or what cannot be read.
    """

    file: InputFile
    change: Kind
    checksum: str | None


@dataclass(frozen=True)
class DayPlan:
    """A batch before it is made.

    Attributes:
        number: Its number, from 0.
        day: Date that its files were chosen by; None: all changes.
        planned_at: When its files were looked for, ISO 8601.
        changed: Files to read, sorted by source.
        deleted: Sources that are gone, sorted.
        again: Whether a file comes again that an earlier batch found deleted.
    """

    number: int
    day: str | None
    planned_at: str
    changed: tuple[Changed, ...]
    deleted: tuple[str, ...]
    again: bool = False

    @property
    def name(self) -> str:
        """Its name: the number, of a width at which names sort as numbers do."""
        return f"{self.number:06d}"

    @property
    def files(self) -> list[InputFile]:
        """What it reads."""
        return [item.file for item in self.changed]

    @property
    def away(self) -> list[str]:
        """Sources whose documents of earlier batches go: those of replaced and deleted files."""
        return sorted(
            [item.file.source for item in self.changed if item.change == "replaced"] + [*self.deleted]
        )

    def count(self, change: str) -> int:
        """Files with this change."""
        if change == "deleted":
            return len(self.deleted)
        return sum(item.change == change for item in self.changed)

    def same_as(self, other: DayPlan) -> bool:
        """Whether both read and withdraw the same; when they were made does not count."""
        return (self.number, self.day, self.changed, self.deleted) == (
            other.number,
            other.day,
            other.changed,
            other.deleted,
        )

    def to_json(self) -> str:
        """For the folder of the batch."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> DayPlan:
        """The inverse of `to_json`.

        Raises:
            ValueError, KeyError, TypeError: The text is damaged.
        """
        value: dict[str, Any] = json.loads(text)
        changed = tuple(
            Changed(InputFile(**item["file"]), item["change"], item["checksum"]) for item in value["changed"]
        )
        return DayPlan(
            value["number"],
            value["day"],
            value["planned_at"],
            changed,
            tuple(value["deleted"]),
            bool(value["again"]),
        )


def known_files(lake: Lake) -> dict[str, Known]:
    """What the batches so far say of each file, by source; deleted ones included."""
    if not Catalog(lake).exists(SOURCES.name):
        return {}
    rows = read_sql(
        lake,
        f"SELECT source, num_bytes, change, checksum, version FROM {SOURCES.name} "  # noqa: S608 - a name of ours
        "WHERE batch IS NOT NULL ORDER BY batch",
        {SOURCES.name: Catalog(lake).info(SOURCES.name).version},
    )
    return {row["source"]: Known(**row) for row in rows}


def finished_batches(lake: Lake) -> list[dict[str, Any]]:
    """Rows of `batches` by number."""
    if not Catalog(lake).exists(BATCHES.name):
        return []
    rows = read_sql(
        lake,
        f"SELECT * FROM {BATCHES.name} ORDER BY number",  # noqa: S608 - a name of ours
        {BATCHES.name: Catalog(lake).info(BATCHES.name).version},
    )
    return [dict(row) for row in rows]


def make_plan(
    files: Iterable[InputFile],
    known: Mapping[str, Known],
    number: int,
    before: datetime | None,
    day: str | None = None,
) -> DayPlan:
    """Compares the files that are there with what is known of them.

    Args:
        files: What the inputs hold now.
        known: See `known_files`.
        number: Number of the batch.
        before: When the files of the batch before were looked for; a new file that is older is late.
        day: Only files whose source has this date (YYYY-MM-DD) count, those that are gone too; None: all.

    Raises:
        StorageError: A file system failed.
    """
    now = datetime.now(UTC)
    wanted = of_day(day)
    present = {file.source: file for file in files}
    changed = []
    for source, file in sorted(present.items()):
        if not wanted(source):
            continue
        old = known.get(source)
        is_there = old is not None and old.change != "deleted"
        if is_there and old is not None:
            is_checked = old.checksum is not None or file.format == DELTA
            if is_checked and (old.num_bytes, old.version) == (file.num_bytes, file.version):
                continue
        found = checksum(file)
        if is_there and old is not None:
            if found == old.checksum and (found is not None or old.version == file.version):
                continue
            changed.append(Changed(file, "replaced", found))
        else:
            changed.append(Changed(file, "late" if _is_older(file, before) else "new", found))
    gone = sorted(
        source
        for source, old in known.items()
        if old.change != "deleted" and source not in present and wanted(source)
    )
    again = any(item.change != "replaced" and item.file.source in known for item in changed)
    return DayPlan(number, day, now.isoformat(), tuple(changed), tuple(gone), again)


def checksum(file: InputFile) -> str | None:
    """SHA-256 of the stored bytes of a file; None for a table, and for what cannot be read.

    Raises:
        StorageError: The file system failed.
    """
    if file.format == DELTA:
        return None
    found = hashlib.sha256()
    try:
        file.stored.size()  # refuses what would block for ever, such as a pipe
        with file.stored.open() as stream:
            while block := stream.read(_BLOCK):
                found.update(block)
    except (FileFault, OSError):
        # The reader meets the same and quarantines the file; the next batch looks again.
        return None
    return found.hexdigest()


def of_day(day: str | None) -> Any:
    """Tells of a source whether it has a date, written 2026-11-27, 2026_11_27, 2026/11/27 or 20261127."""
    if day is None:
        return lambda _source: True
    year, month, date = day.split("-")
    pattern = re.compile(rf"(?<!\d){year}(?P<mark>[-_./]?){month}(?P=mark){date}(?!\d)")
    return lambda source: pattern.search(source) is not None


def _is_older(file: InputFile, before: datetime | None) -> bool:
    # Only local disks say when a file was changed, in nanoseconds.
    if before is None or file.folder or file.format == DELTA or not file.version.isdigit():
        return False
    return int(file.version) < before.timestamp() * 1e9
