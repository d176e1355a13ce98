"""What the footers of Parquet files say of their row groups: 24 bytes a row group, whoever reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ringlake.base.storage import arrow_filesystem
from schemas.token_ids import INPUT_IDS
from training.data.snapshot import DataFile
from training.errors import DataError

FOOTER_THREADS = 16
"""Footers read at the same time: they are small, so latency rules, most of all on object stores."""

COLUMN_TYPES = {"sequence_id": pa.int64(), "input_ids": INPUT_IDS, "num_tokens": pa.int32()}
"""What training reads of a sequence; `segments` stays unread."""

GROUP = np.dtype([("first", np.int64), ("rows", np.int32), ("number", np.int32), ("content", np.uint64)])
"""A row group: its first sequence id, its rows, its number in the file, a hash of what its footer says of the
content. As a Python object with the text of it a group took 800 bytes."""

Groups = npt.NDArray[np.void]

Spread = Callable[[Callable[[Sequence[DataFile]], Any], Sequence[Sequence[DataFile]]], list[Any]]
"""Calls a function on each of some lists of files, in tasks of a cluster, and gives the results in order."""

FEW_FILES = 512
"""Up to so many files this process reads itself. A footer of 32 row groups takes it 3 to 4 ms, however many
threads wait for it: Python reads the values of one at a time."""

FILES_OF_TASK, FILES_OF_JOB = 64, 65_536
"""Files of a task, a quarter of a second of work; and of a job, whose results, 50 MB with 32 row groups a
file, stay below what Spark lets a driver take at once (spark.driver.maxResultSize, 1 GiB)."""


def read_footers(files: Sequence[DataFile], spread: Spread | None = None) -> list[Groups]:
    """The row groups of each file, those without rows left out.

    Args:
        files: The files.
        spread: What reads more than `FEW_FILES` files side by side; None: threads of this process read all.

    Returns:
        For each file an array of `GROUP`, by the number in the file.

    Raises:
        DataError: A file is missing or is no Parquet file, its columns or row count differ from what the
            table says, or a row group does not hold consecutive ids.
    """
    if spread is None or len(files) <= FEW_FILES:
        with ThreadPoolExecutor(FOOTER_THREADS) as pool:
            return list(pool.map(_read_footer, files))
    found: list[Groups] = []
    for first in range(0, len(files), FILES_OF_JOB):
        of_job = files[first : first + FILES_OF_JOB]
        parts = [of_job[start : start + FILES_OF_TASK] for start in range(0, len(of_job), FILES_OF_TASK)]
        for groups in spread(_read_or_tell, parts):
            if isinstance(groups, str):
                raise DataError(groups)
            found.extend(groups)
    return found


def _read_or_tell(files: Sequence[DataFile]) -> list[Groups] | str:
    """The work of a task. A fault is its result: as an exception Spark would repeat it and wrap it."""
    try:
        return read_footers(files)
    except DataError as error:
        return str(error)


def _read_footer(file: DataFile) -> Groups:
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
    return np.array(list(_groups(file.path, metadata, column)), dtype=GROUP)


def _check_columns(path: str, schema: pa.Schema) -> None:
    for name, wanted in COLUMN_TYPES.items():
        found = schema.field(name).type if name in schema.names else None
        if found != wanted:
            raise DataError(
                f"{path}: column {name!r} must be {wanted}, but is {found or 'missing'}; another release "
                f"wrote it, tokenize and pack again"
            )


def _groups(path: str, metadata: pq.FileMetaData, column: int) -> Iterator[tuple[int, int, int, int]]:
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
        yield statistics.min, group.num_rows, number, _hash_content(group)


def _hash_content(group: pq.RowGroupMetaData) -> int:
    """A hash of what a footer says of the content of a row group, without where it lies.

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
    text = f"{group.num_rows} {sizes} {ranges}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
