"""The index of a lake: samples of all documents sorted by hash, kept beside the tables, built once a version.

LAKE/indexes/overlap-ID-vN-... is of version N of the table `tokens` that the log calls ID. Samples are spread
over buckets by their leading bits, so that each is sorted in memory, and a bucket is a Parquet file sorted by
hash, of whose row groups the footers say the range. No text and no tokens are in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.lake import Catalog
from pipelines.trace.overlap.tokens import TokenRows
from pipelines.trace.overlap.winnow import ENTRY, GRAM, WINDOW, Entries, Ints, sample
from ringlake.base.scratch import scratch_folder
from ringlake.base.storage import Folder, arrow_filesystem

FORMAT = 1
MANIFEST = "manifest.json"
PREFIX = "overlap-"

_BUCKET_BYTES = 32 << 20
"""Bytes of `tokens` whose samples make a bucket, about: sorting one takes some 100 MB."""

_MOST_BITS = 12
"""At most 4,096 buckets."""

_HELD_ENTRIES = 1 << 22
"""Samples in memory before they are spread over the buckets, 80 MB."""

_GROUP_ROWS = 1 << 16

_MAX_MANIFEST = 64 << 20

Say = Callable[[str], None]


class BrokenIndexError(ValueError):
    """An index is not as it was written."""


@dataclass(frozen=True)
class Index:
    """An index that is whole, as far as names and sizes tell.

    Attributes:
        folder: Where it lies.
        bits: Leading bits of a hash that number its bucket.
        parts: Size of the file of each bucket that has samples, by name.
    """

    folder: Folder
    bits: int
    parts: dict[str, int]

    def find(self, hashes: Ints) -> Entries:
        """The samples with one of some hashes.

        Args:
            hashes: Without repetition.

        Raises:
            BrokenIndexError: A file is gone or damaged.
        """
        found = [np.empty(0, ENTRY)]
        buckets = _bucket_of(hashes, self.bits)
        for bucket in np.unique(buckets).tolist():
            name = _name(bucket)
            if name in self.parts:
                found.append(self._in_bucket(name, np.sort(hashes[buckets == bucket])))
        return np.concatenate(found)

    def _in_bucket(self, name: str, wanted: Ints) -> Entries:
        filesystem, path = arrow_filesystem(f"{self.folder.location}/{name}")
        found = [np.empty(0, ENTRY)]
        try:
            with filesystem.open_input_file(path) as stream, pq.ParquetFile(stream) as file:
                for number in range(file.num_row_groups):
                    range_ = file.metadata.row_group(number).column(0).statistics
                    if not len(wanted) or range_.max < wanted[0] or range_.min > wanted[-1]:
                        continue
                    group = file.read_row_group(number, use_threads=False)
                    hashes = group.column("hash").to_numpy()
                    places = np.flatnonzero(np.isin(hashes, wanted))
                    part = np.empty(len(places), ENTRY)
                    part["hash"] = hashes[places]
                    part["row"] = group.column("row").to_numpy()[places]
                    part["at"] = group.column("at").to_numpy()[places]
                    found.append(part)
        except (OSError, pa.ArrowInvalid, AttributeError, KeyError, ValueError) as error:
            raise BrokenIndexError(f"{self.folder.location}/{name}: {error}") from error
        return np.concatenate(found)


def open_index(rows: TokenRows) -> Index:
    """The index of a version of `tokens`.

    Raises:
        FileNotFoundError: There is none.
        BrokenIndexError: It is damaged.
    """
    folder = _folder(rows)
    if not folder.exists(MANIFEST):
        raise FileNotFoundError(folder.location)
    try:
        if folder.size(MANIFEST) > _MAX_MANIFEST:
            raise ValueError(f"{MANIFEST} is larger than {_MAX_MANIFEST} bytes")
        told = json.loads(folder.read(MANIFEST))
        parts = {str(name): int(size) for name, size in told["parts"].items()}
        bits = int(told["bits"])
        if told["identity"] != _identity(rows) or not 0 <= bits <= _MOST_BITS:
            raise ValueError("it is of another version, or another release made it")
        for name, size in parts.items():
            if "/" in name or folder.size(name) != size:
                raise ValueError(f"{name} has not the {size} bytes that it was written with")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BrokenIndexError(f"{folder.location}: {error}") from error
    return Index(folder, bits, parts)


def build_index(rows: TokenRows, say: Say) -> Index:
    """Makes the index of a version of `tokens` and puts it in place; others but the current version's go.

    One process at a time does this to a lake; who calls holds the lake's lock.

    Raises:
        OSError: It cannot be written.
    """
    catalog = Catalog(rows.lake)
    num_bytes = catalog.info("tokens", rows.version).bytes
    bits = min(_MOST_BITS, max(0, (num_bytes // _BUCKET_BYTES)).bit_length())
    say(f"trace: building the index of tokens version {rows.version} ({num_bytes / 2**20:,.0f} MiB)")
    parent = rows.lake.root.child("indexes")
    parent.create()
    with scratch_folder("ringlake-index-", parent.local_path if parent.is_local else None) as scratch:
        spool, made = scratch / "spool", scratch / "made"
        spool.mkdir()
        made.mkdir()
        entries = _spread(rows, bits, spool)
        parts = _sort(spool, made)
        manifest = {
            "identity": _identity(rows),
            "bits": bits,
            "entries": entries,
            "parts": parts,
        }
        (made / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        target = _folder(rows)
        target.replace_by(made)
    _remove_others(rows, catalog)
    return Index(target, bits, parts)


def _spread(rows: TokenRows, bits: int, spool: Path) -> int:
    """Writes the samples of all rows into a file for each bucket; how many there are."""
    held: list[Entries] = []
    count = total = 0
    for batch in rows.batches():
        found = sample(batch.ids, batch.lengths, batch.first_row)
        held.append(found)
        count += len(found)
        total += len(found)
        if count >= _HELD_ENTRIES:
            _append(np.concatenate(held), bits, spool)
            held, count = [], 0
    if held:
        _append(np.concatenate(held), bits, spool)
    return total


def _append(entries: Entries, bits: int, spool: Path) -> None:
    buckets = _bucket_of(entries["hash"], bits)
    order = np.argsort(buckets, kind="stable")
    entries, buckets = entries[order], buckets[order]
    heads = np.flatnonzero(np.diff(buckets, prepend=-1))
    for first, end in zip(heads.tolist(), [*heads[1:].tolist(), len(entries)], strict=True):
        with (spool / _name(int(buckets[first]))).open("ab") as file:
            file.write(entries[first:end].tobytes())


def _sort(spool: Path, made: Path) -> dict[str, int]:
    """Each bucket as a Parquet file sorted by hash; the size of each file by name."""
    parts = {}
    for path in sorted(spool.iterdir()):
        entries = np.fromfile(path, ENTRY)
        path.unlink()
        entries = entries[np.lexsort((entries["at"], entries["row"], entries["hash"]))]
        columns = {name: np.ascontiguousarray(entries[name]) for name in ENTRY.names or ()}
        pq.write_table(
            pa.table(columns),
            made / path.name,
            row_group_size=_GROUP_ROWS,
            compression="zstd",
            use_dictionary=False,
        )
        parts[path.name] = (made / path.name).stat().st_size
    return parts


def _bucket_of(hashes: Any, bits: int) -> Ints:
    if not bits:
        return np.zeros(len(hashes), np.int64)
    words = np.ascontiguousarray(hashes).astype(np.int64).view(np.uint64)
    return (words >> np.uint64(64 - bits)).astype(np.int64)


def _name(bucket: int) -> str:
    return f"bucket-{bucket:04d}.parquet"


def _identity(rows: TokenRows) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "table_id": rows.table_id,
        "version": rows.version,
        "rows": list(rows.rows),
        "gram": GRAM,
        "window": WINDOW,
    }


def _folder(rows: TokenRows) -> Folder:
    name = f"{PREFIX}{rows.table_id[:8]}-v{rows.version}-g{GRAM}w{WINDOW}"
    return rows.lake.root.child("indexes").child(name)


def _remove_others(rows: TokenRows, catalog: Catalog) -> None:
    """The index of a version that nobody asks for any more takes disk; that of the current one stays."""
    kept = {_folder(rows).location.rpartition("/")[2]}
    current = catalog.version("tokens")
    if current is not None:
        kept.add(f"{PREFIX}{rows.table_id[:8]}-v{current}-g{GRAM}w{WINDOW}")
    parent = rows.lake.root.child("indexes")
    for name in parent.names():
        if name.startswith(PREFIX) and name not in kept:
            parent.child(name).remove()
