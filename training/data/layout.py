"""Where each sequence id lies: the row groups of a snapshot's files, read from their footers and checked."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from training.data.footers import COLUMN_TYPES, GROUP, Groups, Spread, read_footers
from training.data.snapshot import Snapshot
from training.errors import DataError

__all__ = ["COLUMN_TYPES", "Layout", "RowSlice", "join_layouts", "read_layout"]


class RowSlice(NamedTuple):
    """Rows of one row group.

    Attributes:
        number: Number of the row group in the layout.
        path: The file.
        row_group: Number of the row group in it.
        start: First row in the group.
        end: Row after the last one.
        first_id: Sequence id of the first row, as the table has it.
    """

    number: int
    path: str
    row_group: int
    start: int
    end: int
    first_id: int


class _Squeezed(NamedTuple):
    """Differences of neighbours of an array of integers, compressed."""

    dtype: str
    content: bytes


def _squeeze(values: npt.NDArray[Any]) -> _Squeezed:
    differences = np.diff(values, prepend=values.dtype.type(0))
    return _Squeezed(values.dtype.str, zlib.compress(differences.tobytes(), 1))


def _unfold(squeezed: _Squeezed) -> npt.NDArray[Any]:
    differences = np.frombuffer(zlib.decompress(squeezed.content), squeezed.dtype)
    return np.cumsum(differences, dtype=differences.dtype)


@dataclass(frozen=True)
class Layout:
    """The row groups of a split in order of sequence id; 16 bytes a row group.

    Attributes:
        paths: The files.
        first_ids: First sequence id of each row group and, last, the number of sequences; int64.
        file_numbers: Index into paths for each row group; int32.
        row_groups: Number of each row group in its file; int32.
        sequence_length: Tokens in a sequence.
        token_bytes: Bytes of a stored token id, 2 or 4.
        bases: What is added to the sequence ids of each file to make them unique among several tables; int64.
        fingerprint: Hash of what the footers say of the content: row groups, their rows, and the size and
            range of each column. Another content has another one, however its table and version are called;
            that of `Snapshot.masked` stays what it was before documents in it were forgotten.
    """

    paths: tuple[str, ...]
    first_ids: npt.NDArray[np.int64]
    file_numbers: npt.NDArray[np.int32]
    row_groups: npt.NDArray[np.int32]
    sequence_length: int
    token_bytes: int
    bases: npt.NDArray[np.int64]
    fingerprint: str

    @property
    def num_sequences(self) -> int:
        """Sequences in the split."""
        return int(self.first_ids[-1])

    @property
    def block_rows(self) -> int:
        """Rows of the largest row group: the block of the sample plan."""
        return int(np.diff(self.first_ids).max())

    def __getstate__(self) -> dict[str, Any]:
        """Its fields, arrays as compressed differences: it travels to each rank, a hundredth as long."""
        return {
            field.name: _squeeze(value) if isinstance(value, np.ndarray) else value
            for field in fields(self)
            for value in (getattr(self, field.name),)
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The inverse of `__getstate__`."""
        for name, value in state.items():
            object.__setattr__(self, name, _unfold(value) if isinstance(value, _Squeezed) else value)

    def slices(self, first: int, end: int) -> list[RowSlice]:
        """The row groups that hold the sequence ids [first, end), in order."""
        index = int(self.first_ids.searchsorted(first, side="right")) - 1
        found = []
        while first < end:
            group_first, group_end = self.first_ids.item(index), self.first_ids.item(index + 1)
            stop = min(end, group_end)
            file = self.file_numbers.item(index)
            found.append(
                RowSlice(
                    number=index,
                    path=self.paths[file],
                    row_group=self.row_groups.item(index),
                    start=first - group_first,
                    end=stop - group_first,
                    first_id=first - self.bases.item(file),
                )
            )
            first, index = stop, index + 1
        return found


def read_layout(snapshot: Snapshot, spread: Spread | None = None) -> Layout:
    """The layout of a snapshot, from the footers of its files.

    Args:
        snapshot: The files.
        spread: See `read_footers`.

    Raises:
        DataError: There are no sequences, a file is missing or is no Parquet file, its columns or row
            count differ from what the table says, or the sequence ids are not 0 to n-1 without a gap.
    """
    if snapshot.num_sequences < 1:
        raise DataError(
            f"{snapshot.table} version {snapshot.version} has no {snapshot.split!r} sequences; "
            f"give it more text, or change the split so that {snapshot.split!r} gets a share"
        )
    try:
        per_file = read_footers(snapshot.files, spread)
    except DataError as error:
        raise DataError(f"{snapshot.table} version {snapshot.version}: {error}") from None
    return make_layout(snapshot, per_file)


def make_layout(snapshot: Snapshot, per_file: Sequence[Groups]) -> Layout:
    """The layout of a snapshot whose footers are read; at most 70 bytes of memory a row group meanwhile.

    Args:
        snapshot: The files.
        per_file: For each of them what `read_footers` gave.

    Raises:
        DataError: The sequence ids are not `first_id` and on without a gap.
    """
    # Packing writes ranges of ids, so that the files' order is that of all their row groups.
    filled = [number for number, groups in enumerate(per_file) if len(groups)]
    order = sorted(filled, key=lambda number: int(per_file[number]["first"].min()))
    paths = tuple(snapshot.files[number].path for number in order)
    groups = np.concatenate([per_file[number] for number in order] or [np.empty(0, GROUP)])
    files = np.repeat(np.arange(len(order), dtype=np.int32), [len(per_file[number]) for number in order])
    if (np.diff(groups["first"]) < 0).any():
        places = np.argsort(groups["first"], kind="stable")
        groups, files = groups[places], files[places]
    groups["first"] -= snapshot.first_id
    _check_contiguous(groups, files, paths, snapshot)
    fingerprint = sha256(groups["content"].astype("<u8").tobytes()).hexdigest()[:16]
    return Layout(
        paths=paths,
        first_ids=np.append(groups["first"], groups["first"][-1] + groups["rows"][-1]),
        file_numbers=files,
        row_groups=groups["number"].copy(),
        sequence_length=snapshot.sequence_length,
        token_bytes=snapshot.token_bytes,
        bases=np.full(len(paths), -snapshot.first_id, dtype=np.int64),
        fingerprint=snapshot.masked.get(fingerprint, fingerprint),
    )


def join_layouts(layouts: Sequence[Layout]) -> Layout:
    """Several tables as one: the ids of each go on where those of the one before end.

    Args:
        layouts: Layouts of one sequence length and one type of token ids.
    """
    ends = np.cumsum([layout.num_sequences for layout in layouts])
    bases = [0, *ends[:-1].tolist()]
    files = np.cumsum([0, *(len(layout.paths) for layout in layouts[:-1])])
    pairs = list(zip(layouts, bases, strict=True))
    return Layout(
        paths=tuple(path for layout in layouts for path in layout.paths),
        first_ids=np.concatenate([*(layout.first_ids[:-1] + base for layout, base in pairs), ends[-1:]]),
        file_numbers=np.concatenate(
            [layout.file_numbers + first for layout, first in zip(layouts, files, strict=True)]
        ).astype(np.int32),
        row_groups=np.concatenate([layout.row_groups for layout in layouts]),
        sequence_length=layouts[0].sequence_length,
        token_bytes=layouts[0].token_bytes,
        bases=np.concatenate([layout.bases + base for layout, base in pairs]),
        fingerprint=_digest(layout.fingerprint for layout in layouts),
    )


def _digest(texts: Iterable[str]) -> str:
    found = sha256()
    for text in texts:
        found.update(f"{text}\n".encode())
    return found.hexdigest()[:16]


def _check_contiguous(
    groups: Groups, files: npt.NDArray[np.int32], paths: Sequence[str], snapshot: Snapshot
) -> None:
    firsts = groups["first"]
    expected = np.append(0, firsts + groups["rows"])[:-1]
    for place in np.flatnonzero(firsts != expected)[:1].tolist():
        first, wanted = int(firsts[place]), int(expected[place])
        fault = "missing" if first > wanted else "there twice"
        low, high = sorted((wanted, first))
        raise DataError(
            f"{snapshot.table} version {snapshot.version}, {snapshot.split}: sequence_id {low} to "
            f"{high - 1} {fault}, met at {paths[files[place]]}, row group {groups['number'][place]}; pack "
            f"the sequences again"
        )
