"""Parquet: one row, one document; a whole file is judged before its first row counts.

A column of the wrong type is a fault of the file, for casting it would make text of what was none. The
file is decoded twice, as compressed files are: once to its end, so that a damaged page costs the file and
not the run, and so that what comes out of it stays within the limits; then for its rows. Batches have as
many rows as fit into a fixed size even if each had the largest value a page can hold.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from conf.data import IngestConfig
from pipelines.ingest.decompress import expansion_fault, too_large
from pipelines.ingest.fields import Place, missing, not_string, to_document
from pipelines.ingest.parquet_pages import PageError, largest_page
from pipelines.ingest.record import Document, Fault, FileFault, excerpt

_BATCH_BYTES = 32 * 2**20
_MAX_BATCH_ROWS = 1024

# Writers close a page after 1 MiB, but look only after a batch of values, often 1,024: with long
# documents real pages reach tens of MiB.
_MAX_PAGE_BYTES = 256 * 2**20

_READ_BYTES = 2**20


def read_parquet(stream: BinaryIO, source: str, config: IngestConfig) -> Iterator[Document | Fault]:
    """The documents of a Parquet file, and a fault for each row that holds none.

    `offset` is the row's number in the file, from 0.

    Raises:
        FileFault: The file is cut or damaged, a column is missing or has the wrong type, or more comes
            out of it than the limits allow.
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
        columns = [_values(column) for column in batch.columns]
        for values in zip(*columns, strict=True):
            record = dict(zip(table.columns, values, strict=True))
            yield _document(record, number, config)
            number += 1


@dataclass(frozen=True)
class _ParquetTable:
    """An open file and what is read of it.

    Attributes:
        file: The file.
        columns: Names of the columns that are wanted and there.
        batch_rows: Rows to decode at a time.
        stored_bytes: Size of the file.
    """

    file: pq.ParquetFile
    columns: list[str]
    batch_rows: int
    stored_bytes: int

    def batches(self) -> Iterator[pa.RecordBatch]:
        return self.file.iter_batches(self.batch_rows, columns=self.columns, use_threads=False)


def _open(stream: BinaryIO, config: IngestConfig) -> _ParquetTable:
    try:
        file = pq.ParquetFile(stream, pre_buffer=False, buffer_size=_READ_BYTES)
        schema = file.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FileFault(_corrupt(error)) from None
    columns = _wanted_columns(schema, config)
    stored = stream.seek(0, 2)
    largest = _check_pages(stream, file.metadata, columns, config)
    batch_rows = max(1, min(_MAX_BATCH_ROWS, _BATCH_BYTES // max(1, largest)))
    return _ParquetTable(file, columns, batch_rows, stored)


def _wanted_columns(schema: pa.Schema, config: IngestConfig) -> list[str]:
    """The columns to read, their types checked."""
    texts = {"text": config.text_field} | ({"target": config.target_field} if config.target_field else {})
    for side, name in texts.items():
        if name not in schema.names:
            shown = ", ".join(map(repr, schema.names))
            raise _file_fault(
                missing(side), f"there is no column {name!r} (ingest.{side}_field); there are {shown:.300}"
            )
    wanted = dict.fromkeys((*texts.values(), config.id_field, config.url_field, *config.metadata_fields))
    columns = [name for name in wanted if name in schema.names]
    for name in columns:
        if schema.names.count(name) > 1:
            raise _file_fault(
                "duplicate_key", f"there are two columns {name!r}; nobody can know which is meant"
            )
        column = schema.field(name).type
        for side, text in texts.items():
            if name == text and not (_is_string(column) or pa.types.is_null(column)):
                detail = f"the column {name!r} (ingest.{side}_field) has the type {column}, not string"
                raise _file_fault(not_string(side), detail)
        if not _is_scalar(column):
            detail = f"the column {name!r} has the type {column}, of which no text is made"
            raise _file_fault("bad_columns", detail)
    return columns


def _check_pages(
    stream: BinaryIO, metadata: pq.FileMetaData, columns: list[str], config: IngestConfig
) -> int:
    """The size of the largest pages that are decoded at the same time, in bytes uncompressed."""
    largest = dict.fromkeys(columns, 0)
    total = 0
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(index)
            if chunk.path_in_schema not in largest or not chunk.num_values:
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
                detail = f"the column {chunk.path_in_schema!r} has a page of {page:,} bytes, "
                detail += f"the limit is {_MAX_PAGE_BYTES:,}; write the file with smaller pages"
                raise FileFault(Fault(start, "too_large", detail))
            largest[chunk.path_in_schema] = max(largest[chunk.path_in_schema], page)
    return sum(largest.values())


def _decode_all(table: _ParquetTable, config: IngestConfig) -> None:
    """Decodes the file to its end, so that damage and limits are known before a row counts."""
    num_bytes = num_rows = 0
    try:
        for batch in table.batches():
            num_rows += batch.num_rows
            num_bytes += batch.nbytes
            # A value that a dictionary holds once can come out as often as there are rows.
            fault = expansion_fault(
                table.stored_bytes, num_bytes, config.max_file_bytes, config.max_expansion
            )
            if fault is not None:
                raise FileFault(fault)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FileFault(_corrupt(error)) from None
    if num_rows != table.file.metadata.num_rows:
        detail = f"the footer promises {table.file.metadata.num_rows:,} rows, there are {num_rows:,}"
        raise _file_fault("corrupt", detail)


def _values(column: pa.Array) -> list[Any]:
    """The values of a column; of strings that are not UTF-8 the bytes."""
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        raw = column.cast(pa.large_binary()).to_pylist()
        return [_text_or_bytes(value) for value in raw]


def _text_or_bytes(value: bytes | None) -> str | bytes | None:
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def _document(record: dict[str, Any], number: int, config: IngestConfig) -> Document | Fault:
    for name, value in record.items():
        if isinstance(value, bytes):
            return Fault(
                number, "not_utf8", f"the column {name!r} has bytes that are not UTF-8", excerpt(value)
            )
        if not isinstance(value, (str, int, float, type(None))):
            record[name] = str(value)
    shown = record[config.text_field] or ""
    return to_document(record, Place(number, None, shown[:1000]), config)


def _is_string(column: pa.DataType) -> bool:
    if pa.types.is_dictionary(column):
        column = column.value_type
    return pa.types.is_string(column) or pa.types.is_large_string(column) or pa.types.is_string_view(column)


def _is_scalar(column: pa.DataType) -> bool:
    types = pa.types
    checks = (types.is_null, types.is_boolean, types.is_integer, types.is_floating, types.is_decimal)
    return _is_string(column) or any(check(column) for check in (*checks, types.is_date, types.is_timestamp))


def _file_fault(reason: str, detail: str) -> FileFault:
    return FileFault(Fault(0, reason, detail))


def _corrupt(error: Exception) -> Fault:
    message = str(error).splitlines()[0] if str(error) else type(error).__name__
    return Fault(
        0, "corrupt", f"the Parquet file is damaged or cut ({message:.300}); nothing of it can be trusted"
    )
