"""Parquet: one row, one document; a whole file is judged before its first row counts.

A column of the wrong type is a fault of the file, for casting it would make text of what was none. The
file is decoded twice, as compressed files are: once to its end, so that a damaged page costs the file and
not the run, and so that what comes out of it stays within the limits; then for its rows. Batches have as
many rows as fit into a fixed size even if each had the largest value a page can hold.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conf.ingest import IngestConfig
from pipelines.files.decompress import expansion_fault, raise_if_short, too_large
from pipelines.files.record import Document, Fault, FileFault, excerpt
from pipelines.files.stored import StorageError
from pipelines.ingest.formats.arrow_values import column_values, is_string
from pipelines.ingest.formats.fields import Place, missing, not_string, to_document
from pipelines.ingest.formats.parquet_pages import PageError, largest_page

_BATCH_BYTES = 32 * 2**20
_MAX_BATCH_ROWS = 1024

# Writers close a page after 1 MiB, but look only after a batch of values, often 1,024: with long
# documents real pages reach tens of MiB.
_MAX_PAGE_BYTES = 256 * 2**20

# A page, its values and what builders that double their room take beyond them: a good file asks for no more.
_MAX_ALLOCATION = 4 * _MAX_PAGE_BYTES
_ALLOCATION = re.compile(r"alloc of size (\d+) failed")

_READ_BYTES = 2**20


def read_parquet(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """The documents of a Parquet file, and a fault for each row that holds none.

    `offset` is the row's number in the file, from 0.

    Raises:
        FileFault: The file is cut or damaged, a column is missing or has the wrong type, or more comes
            out of it than the limits allow.
        MemoryError: Arrow or Python found no memory, which says nothing of the file.
    """
    if not stream.seekable():
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(stream, copy, _READ_BYTES)
            yield from _read(copy, config)
    else:
        yield from _read(stream, config)


def _read(stream: BinaryIO, config: IngestConfig) -> Iterator[Document | Fault]:
    table = _open(stream, config)
    _decode_all(table, config)
    number = 0
    for batch in table.batches():
        columns = [column_values(column) for column in batch.columns]
        for values in zip(*columns, strict=True):
            record = dict(zip(table.columns, values, strict=True))
            yield _document(record, number, config)
            number += 1


@dataclass(frozen=True)
class _ParquetTable:
    """An open file and what is read of it.

    Attributes:
        file: The file.
        columns: Names of the columns that are wanted and there, and their places among all of the file's.
        batch_rows: Rows to decode at a time.
        stored_bytes: Size of the file.
    """

    file: pq.ParquetFile
    columns: dict[str, int]
    batch_rows: int
    stored_bytes: int

    def batches(self) -> Iterator[pa.RecordBatch]:
        # By place: a name with a dot may also be the path of a nested column.
        groups = list(range(self.file.metadata.num_row_groups))
        places = list(self.columns.values())
        batches: Iterator[pa.RecordBatch] = self.file.reader.iter_batches(
            self.batch_rows, row_groups=groups, column_indices=places, use_threads=False
        )
        return batches


def _open(stream: BinaryIO, config: IngestConfig) -> _ParquetTable:
    try:
        file = pq.ParquetFile(stream, pre_buffer=False, buffer_size=_READ_BYTES)
        schema = file.schema_arrow
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a footer does to its reader, it costs the file
        raise FileFault(_corrupt(error)) from None
    columns = _wanted_columns(schema, file.metadata.num_columns, config)
    stored = stream.seek(0, 2)
    largest = _check_pages(stream, file.metadata, columns, config)
    batch_rows = max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES // max(1, largest)))
    return _ParquetTable(file, columns, batch_rows, stored)


def _wanted_columns(schema: pa.Schema, num_leaves: int, config: IngestConfig) -> dict[str, int]:
    """The columns to read, their types checked, and the place of each among the leaves of the schema."""
    texts = {"text": config.text_field} | ({"target": config.target_field} if config.target_field else {})
    needed = texts | ({"label": config.label_field} if config.label_field else {})
    for side, name in needed.items():
        if name not in schema.names:
            shown = ", ".join(map(repr, schema.names))
            raise _file_fault(
                missing(side), f"there is no column {name!r} (ingest.{side}_field); there are {shown:.300}"
            )
    wanted = dict.fromkeys((*needed.values(), config.id_field, config.url_field, *config.metadata_fields))
    names = [name for name in wanted if name in schema.names]
    for name in names:
        if schema.names.count(name) > 1:
            raise _file_fault(
                "duplicate_key", f"there are two columns {name!r}; nobody can know which is meant"
            )
        column = schema.field(schema.names.index(name)).type
        for side, text in texts.items():
            if name == text and not (is_string(column) or pa.types.is_null(column)):
                detail = f"the column {name!r} (ingest.{side}_field) has the type {column!s:.100}, not string"
                raise _file_fault(not_string(side), detail)
        if _num_leaves(column) != 1 or pa.types.is_nested(column):
            # One row may hold millions of values in a few bytes, and only the rows are bounded.
            detail = f"the column {name!r} has the nested type {column!s:.100}, of which no text is made"
            raise _file_fault("bad_columns", detail)
    places: dict[str, int] = {}
    leaf = 0
    for field in schema:
        places[field.name] = leaf
        leaf += _num_leaves(field.type)
    if leaf != num_leaves:
        detail = f"its schema has {leaf:,} columns of values, its footer {num_leaves:,}"
        raise _file_fault("corrupt", detail)
    return {name: places[name] for name in names}


def _num_leaves(column: pa.DataType) -> int:
    """How many of the file's columns hold a column of this type."""
    if isinstance(column, pa.BaseExtensionType):
        return _num_leaves(column.storage_type)
    if pa.types.is_nested(column):
        return sum(_num_leaves(column.field(index).type) for index in range(column.num_fields))
    return 1


def _check_pages(
    stream: BinaryIO, metadata: pq.FileMetaData, columns: dict[str, int], config: IngestConfig
) -> int:
    """The size of the largest pages that are decoded at the same time, in bytes uncompressed."""
    largest = dict.fromkeys(columns, 0)
    total = 0
    for group in range(metadata.num_row_groups):
        for name, place in columns.items():
            chunk = metadata.row_group(group).column(place)
            if not chunk.num_values:
                continue
            # Some writers state 0 for a page that is not there.
            offsets = [offset for offset in (chunk.dictionary_page_offset, chunk.data_page_offset) if offset]
            start = min(offsets, default=0)
            try:
                page, pages = largest_page(stream, start, chunk.total_compressed_size)
            except (PageError, OSError, ValueError) as error:
                raise FileFault(_corrupt(error)) from None
            total += max(pages, chunk.total_uncompressed_size)
            if total > config.max_file_bytes:
                what = "text of the Parquet file"
                raise FileFault(too_large(what, start, total, config.max_file_bytes, "max_file_bytes"))
            if page > _MAX_PAGE_BYTES:
                detail = f"the column {name!r} has a page of {page:,} bytes, "
                detail += f"the limit is {_MAX_PAGE_BYTES:,}; write the file with smaller pages"
                raise FileFault(Fault(start, "too_large", detail))
            largest[name] = max(largest[name], page)
    return sum(largest.values())


def _decode_all(table: _ParquetTable, config: IngestConfig) -> None:
    """Decodes the file to its end, so that damage and limits are known before a row counts."""
    num_bytes = num_rows = 0
    try:
        for batch in table.batches():
            num_rows += batch.num_rows
            num_bytes += sum(map(_num_bytes, batch.columns))
            # A value that a dictionary holds once can come out as often as there are rows.
            fault = expansion_fault(
                table.stored_bytes, num_bytes, config.max_file_bytes, config.max_expansion, num_rows
            )
            if fault is not None:
                raise FileFault(fault)
    except (FileFault, StorageError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a page does to its decoder, it costs the file
        raise FileFault(_corrupt(error)) from None
    if num_rows != table.file.metadata.num_rows:
        detail = f"the footer promises {table.file.metadata.num_rows:,} rows, there are {num_rows:,}"
        raise _file_fault("corrupt", detail)


def _num_bytes(column: pa.Array) -> int:
    """Bytes of a column's values: of those that a dictionary or a view holds once, as often as they occur."""
    types, kind = pa.types, column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _num_bytes(column.storage)
    if types.is_string_view(kind) or types.is_binary_view(kind):
        # A view has 16 bytes, and its length is the first four of them.
        views = np.frombuffer(column.buffers()[1], np.int32).reshape(-1, 4)
        return int(views[column.offset : column.offset + len(column), 0].sum(dtype=np.int64))
    if types.is_dictionary(kind) and is_string(kind):
        lengths = pc.binary_length(column.dictionary.cast(pa.large_string())).take(column.indices)
        return int(pc.sum(lengths).as_py() or 0)
    return int(column.nbytes)


def _document(record: dict[str, Any], number: int, config: IngestConfig) -> Document | Fault:
    for name, value in record.items():
        if isinstance(value, bytes):
            return Fault(
                number, "not_utf8", f"the column {name!r} has bytes that are not UTF-8", excerpt(value)
            )
    shown = record[config.text_field] or ""
    return to_document(record, Place(number, None, shown[:1000]), config)


def _file_fault(reason: str, detail: str) -> FileFault:
    return FileFault(Fault(0, reason, detail))


def _corrupt(error: Exception) -> Fault:
    """The fault of a file that Arrow cannot read; raises MemoryError instead where memory was what lacked.

    Arrow's own error is a MemoryError too. What no file within the limits asks for is the file's fault.
    """
    if isinstance(error, MemoryError):
        asked = _ALLOCATION.search(str(error))
        if asked is None or int(asked[1]) <= _MAX_ALLOCATION:
            raise error
        detail = (
            f"decoding it asks for {int(asked[1]):,} bytes at once, the limit is {_MAX_ALLOCATION:,}; "
            "write the file with smaller pages"
        )
        return Fault(0, "too_large", detail)
    if isinstance(error, OSError):
        raise_if_short(error)
    message = str(error).splitlines()[0] if str(error) else type(error).__name__
    return Fault(
        0, "corrupt", f"the Parquet file is damaged or cut ({message:.300}); nothing of it can be trusted"
    )
