"""The sequences of a lake as training takes them: pinned to a version that packing wrote."""

from __future__ import annotations

from typing import Any

from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake
from training.data.footers import COLUMN_TYPES
from training.data.snapshot import Snapshot

_TABLE = "sequences"

_MADE = {"sequence_length": int, "vocab_size": int, "tokenizer_hash": str, "token_bytes": int}
"""What packing notes with the commit, and training needs to know."""


def take_snapshot(lake: Lake, split: str, version: int | None = None) -> Snapshot:
    """The active files of one split of a lake's `sequences`, with what made the tokens.

    Commits that leave the files as packing wrote them, such as a changed table property or a RESTORE, do not
    count: the version is that of packing.

    Args:
        lake: The lake.
        split: 'train' or 'validation'.
        version: Version of the table; None: the current one.

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
    return Snapshot(
        table=lake.table(_TABLE),
        version=packed,
        split=split,
        files=catalog.active_files(
            _TABLE, packed, {"split": split}, tuple(COLUMN_TYPES), order="sequence_id"
        ),
        sequence_length=made["sequence_length"],
        vocab_size=made["vocab_size"],
        tokenizer_hash=made["tokenizer_hash"],
        token_bytes=made["token_bytes"],
        task=made.get("task") or {},
    )


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
