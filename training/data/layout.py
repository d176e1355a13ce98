"""Where each sequence id lies: the row groups of a snapshot's files, read from their footers and checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.token_ids import INPUT_IDS
from training.data.snapshot import DataFile, Snapshot
from training.errors import DataError
from training.storage import arrow_filesystem

FOOTER_THREADS = 16
"""Footers read at the same time: they are small, so latency rules, most of all on object stores."""

COLUMN_TYPES = {"sequence_id": pa.int64(), "input_ids": INPUT_IDS, "num_tokens": pa.int32()}
"""What training reads of a sequence; `segments` stays unread."""


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
            range of each column. Another content has another one, however its table and version are called.
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


@dataclass(frozen=True)
class _Group:
    first: int
    end: int
    path: str
    number: int
    content: str


def read_layout(snapshot: Snapshot) -> Layout:
    """The layout of a snapshot, from the footers of its files.

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
        with ThreadPoolExecutor(FOOTER_THREADS) as pool:
            per_file = list(pool.map(_read_footer, snapshot.files))
    except DataError as error:
        raise DataError(f"{snapshot.table} version {snapshot.version}: {error}") from None
    groups = sorted((group for groups in per_file for group in groups), key=lambda group: group.first)
    _check_contiguous(groups, snapshot)
    paths = tuple(sorted({group.path for group in groups}))
    numbers = {path: number for number, path in enumerate(paths)}
    return Layout(
        paths=paths,
        first_ids=np.array([group.first for group in groups] + [groups[-1].end], dtype=np.int64),
        file_numbers=np.array([numbers[group.path] for group in groups], dtype=np.int32),
        row_groups=np.array([group.number for group in groups], dtype=np.int32),
        sequence_length=snapshot.sequence_length,
        token_bytes=snapshot.token_bytes,
        bases=np.zeros(len(paths), dtype=np.int64),
        fingerprint=_digest(group.content for group in groups),
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


def _read_footer(file: DataFile) -> list[_Group]:
    filesystem, path = arrow_filesystem(file.path)
    try:
        with filesystem.open_input_file(path) as handle:
            metadata = pq.read_metadata(handle)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{file.path} cannot be read: {' '.join(str(error).split())}") from None
    if metadata.num_rows != file.num_rows:
        raise DataError(
            f"{file.path} holds {metadata.num_rows} rows, but the table's log says {file.num_rows}; "
            f"the file was changed from outside, write the table again"
        )
    _check_columns(file.path, metadata.schema.to_arrow_schema())
    column = next(
        index for index in range(metadata.num_columns) if metadata.schema.column(index).path == "sequence_id"
    )
    return list(_groups(file.path, metadata, column))


def _check_columns(path: str, schema: pa.Schema) -> None:
    for name, wanted in COLUMN_TYPES.items():
        found = schema.field(name).type if name in schema.names else None
        if found != wanted:
            raise DataError(
                f"{path}: column {name!r} must be {wanted}, but is {found or 'missing'}; another release "
                f"wrote it, tokenize and pack again"
            )


def _groups(path: str, metadata: pq.FileMetaData, column: int) -> Iterator[_Group]:
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if group.num_rows == 0:
            continue
        statistics = group.column(column).statistics
        if statistics is None or not statistics.has_min_max:
            raise DataError(
                f"{path}, row group {number}: sequence_id has no statistics; write the table anew"
            )
        if statistics.max - statistics.min + 1 != group.num_rows:
            raise DataError(
                f"{path}, row group {number}: {group.num_rows} rows have sequence_id {statistics.min} to "
                f"{statistics.max}; a row group must hold consecutive ids, pack the sequences again"
            )
        yield _Group(statistics.min, statistics.max + 1, path, number, _describe_content(group))


def _describe_content(group: pq.RowGroupMetaData) -> str:
    """What a footer says of the content of a row group, without where it lies.

    The ids in `segments` are hashes of documents, so that their least and greatest say much.
    """
    columns = [group.column(index) for index in range(group.num_columns)]
    sizes = sorted((column.path_in_schema, column.total_compressed_size) for column in columns)
    ranges = sorted(
        (column.path_in_schema, str(column.statistics.min), str(column.statistics.max))
        for column in columns
        if column.path_in_schema.startswith((*COLUMN_TYPES, "segments"))
        and column.statistics is not None
        and column.statistics.has_min_max
    )
    return f"{group.num_rows} {sizes} {ranges}"


def _digest(texts: Iterable[str]) -> str:
    found = sha256()
    for text in texts:
        found.update(f"{text}\n".encode())
    return found.hexdigest()[:16]


def _check_contiguous(groups: list[_Group], snapshot: Snapshot) -> None:
    expected = 0
    for group in groups:
        if group.first != expected:
            fault = "missing" if group.first > expected else "there twice"
            low, high = sorted((expected, group.first))
            raise DataError(
                f"{snapshot.table} version {snapshot.version}, {snapshot.split}: sequence_id {low} to "
                f"{high - 1} {fault}, met at {group.path}, row group {group.number}; pack the sequences again"
            )
        expected = group.end
