"""The sequences of a lake as training takes them: pinned to a version that packing wrote."""

from __future__ import annotations

from typing import Any

from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake
from pipelines.lake.erasures import masked_fingerprints
from training.data.footers import COLUMN_TYPES
from training.data.snapshot import DataFile, Snapshot

_TABLE = "sequences"

_MADE = {"sequence_length": int, "vocab_size": int, "tokenizer_hash": str, "token_bytes": int}
"""What packing notes with the commit, and training needs to know."""


def take_snapshot(lake: Lake, split: str, version: int | None = None, since: int | None = None) -> Snapshot:
    """The active files of one split of a lake's `sequences`, with what made the tokens.

    Commits that leave the files as packing wrote them, such as a changed table property or a RESTORE, do not
    count: the version is that of packing.

    Args:
        lake: The lake.
        split: 'train' or 'validation'.
        version: Version of the table; None: the current one.
        since: Only what was added after this version; None: all.

    Raises:
        InputError: There is no such table or version, it has no rows, or its rows are no longer those that
            packing wrote; the message names both versions.
    """
    catalog = Catalog(lake)
    packed, made = _packed(catalog, lake, catalog.info(_TABLE, version).version)
    place = lake.location
    missing = [name for name, kind in _MADE.items() if not isinstance(made.get(name), kind)]
    if missing:
        raise InputError(
            f"version {packed} of table {_TABLE!r} of the lake {place} does not say its "
            f"{', '.join(missing)}, as packing does; pack the tokens again: ringlake pack --lake {place}"
        )
    if not catalog.info(_TABLE, packed).rows:
        raise InputError(
            f"table {_TABLE!r} (version {packed}) of the lake {place} has no rows, so there is nothing "
            f"to train on; see what became of them: ringlake status {place}"
        )
    columns = tuple(COLUMN_TYPES)
    files = catalog.active_files(_TABLE, packed, {"split": split}, columns, order="sequence_id")
    first_id = 0
    if since is not None:
        files, first_id = _added(catalog, lake, since, split, files)
    return Snapshot(
        table=lake.table(_TABLE),
        version=packed,
        split=split,
        files=files,
        sequence_length=made["sequence_length"],
        vocab_size=made["vocab_size"],
        tokenizer_hash=made["tokenizer_hash"],
        token_bytes=made["token_bytes"],
        task=made.get("task") or {},
        since=since,
        first_id=first_id,
        masked=masked_fingerprints(lake),
    )


def sequences_at(lake: Lake, split: str, version: int) -> int:
    """How many sequences a version has in a split."""
    return sum(file.num_rows for file in Catalog(lake).active_files(_TABLE, version, {"split": split}))


def _added(
    catalog: Catalog, lake: Lake, since: int, split: str, files: tuple[DataFile, ...]
) -> tuple[tuple[DataFile, ...], int]:
    """The files that an older version has not, and the sequence id that they begin with."""
    older = catalog.active_files(_TABLE, catalog.info(_TABLE, since).version, {"split": split})
    held = {file.path for file in older}
    if not held <= {file.path for file in files}:
        raise InputError(
            f"table {_TABLE!r} of the lake {lake.location} was packed anew after version {since}, so nothing "
            "was added to that: leave since out, or name a version that batches have added to"
        )
    return tuple(file for file in files if file.path not in held), sum(file.num_rows for file in older)


def _packed(catalog: Catalog, lake: Lake, version: int) -> tuple[int, dict[str, Any]]:
    """The version in which packing wrote the rows of a version, and what it noted then."""
    commits = catalog.commits(_TABLE)
    packed = [
        (number, made) for number, _, made in commits if made.get("stage") == "pack" and number <= version
    ]
    place = lake.location
    where = f"table {_TABLE!r} of the lake {place}"
    remedy = f"pack the tokens again: ringlake pack --lake {place}"
    if not packed:
        raise InputError(f"{where} has no version that packing wrote, up to version {version}; {remedy}")
    number, made = packed[0]
    if count := catalog.deletion_vectors(_TABLE, version):
        raise InputError(
            f"{where} has deletion vectors on {count} files at version {version}, which the reader of "
            f"training cannot apply; version {number} is what packing wrote. {remedy[0].upper()}{remedy[1:]}"
        )
    if not catalog.same_rows(_TABLE, number, version):
        operation = next((name for at, name, _ in commits if at == version), "unknown")
        rows = [catalog.info(_TABLE, at).rows for at in (number, version)]
        raise InputError(
            f"{where} was changed after packing: version {number} is what packing wrote ({rows[0]:,} rows), "
            f"version {version} is a {operation} ({rows[1]:,} rows). The sample plan needs the rows as "
            f"packing left them; {remedy}"
        )
    return number, made
