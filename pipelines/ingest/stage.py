"""The ingest stage: input files in, `sources`, `documents` and `quarantine` out."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf.data import IngestConfig
from pipelines.ingest import installation
from pipelines.ingest.discover import InputFile, discover, fingerprint
from pipelines.ingest.read_file import Quarantined, Summary, read_file
from pipelines.ingest.record import Document, Fault, document_id
from pipelines.stage import StageOutput
from pipelines.tagged import TaggedRows, tagged_spark_schema, untag
from schemas.documents import DOCUMENTS
from schemas.quarantine import QUARANTINE
from schemas.sources import SOURCES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TABLES = (SOURCES, DOCUMENTS, QUARANTINE)

# Opening a file costs about as much as reading so many bytes.
_BYTES_PER_OPEN = 16 * 2**10

# Many more tasks than cores: one task's files may take longer than their size says, and progress shows.
_TASKS_PER_CORE = 16
_TASK_BYTES = 64 * 2**20

# About what a row takes besides its text.
_ROW_BYTES = 200

_FILES_SCHEMA = "path binary, source string, format string, compression string, num_bytes long, mtime_ns long"


def ingest(spark: SparkSession, config: IngestConfig, files: list[InputFile] | None = None) -> StageOutput:
    """Reads every input file once.

    Every record becomes a row of `documents` or of `quarantine`, a file that cannot be read one row of
    `quarantine`: the records of `sources` add up to the rows of the two tables.

    Args:
        spark: The session; its workers must see the files under the same paths.
        config: What to read.
        files: The files, if `discover` has been called already.

    Raises:
        InputError: There is no input, or one of them matches no file.
    """
    found = discover(config) if files is None else files
    bins = bin_by_size(found, _num_tasks(found, spark.sparkContext.defaultParallelism))
    tagged = _files_dataframe(spark, bins).mapInArrow(_reader(config), tagged_spark_schema(TABLES))
    return StageOutput(
        tables={table.name: untag(tagged, table) for table in TABLES},
        shared=(tagged,),
        details={
            "num_files": len(found),
            "num_input_bytes": sum(file.num_bytes for file in found),
            "fingerprint": fingerprint(found),
        },
    )


def bin_by_size(files: list[InputFile], num_bins: int) -> list[list[InputFile]]:
    """Files spread over bins so that each has about the same work: the largest first, to the emptiest bin."""
    bins: list[list[InputFile]] = [[] for _ in range(num_bins)]
    loads = [(0, index) for index in range(num_bins)]
    for file in sorted(files, key=lambda file: (-file.num_bytes, file.source)):
        load, index = heapq.heappop(loads)
        bins[index].append(file)
        heapq.heappush(loads, (load + file.num_bytes + _BYTES_PER_OPEN, index))
    return [content for content in bins if content]


def _num_tasks(files: list[InputFile], parallelism: int) -> int:
    total = sum(file.num_bytes + _BYTES_PER_OPEN for file in files)
    return max(1, min(len(files), max(parallelism * _TASKS_PER_CORE, total // _TASK_BYTES)))


def _files_dataframe(spark: SparkSession, bins: list[list[InputFile]]) -> DataFrame:
    """One row a file, one partition a bin."""
    rows = [[_file_row(file) for file in content] for content in bins]
    partitions = spark.sparkContext.parallelize(rows, max(1, len(rows)))
    return spark.createDataFrame(partitions.flatMap(_same), _FILES_SCHEMA)


def _file_row(file: InputFile) -> tuple[Any, ...]:
    # A path may hold bytes that are no UTF-8, which a string column cannot carry.
    return (os.fsencode(file.path), file.source, file.format, file.compression, file.num_bytes, file.mtime_ns)


def _same(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return rows


def _reader(config: IngestConfig) -> Any:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = TaggedRows(TABLES)
        for batch in batches:
            for row in batch.to_pylist():
                path = os.fsdecode(row["path"])
                if not config.inputs:
                    path = installation.here(path, row["source"])
                file = InputFile(**{**row, "path": path})
                for found in read_file(file, config):
                    _add(rows, file, found)
                    if rows.is_full:
                        yield from rows.flush()
        yield from rows.flush()

    return read


def _add(rows: TaggedRows, file: InputFile, found: Document | Quarantined | Summary) -> None:
    if isinstance(found, Document):
        num_bytes = len(found.text.encode())
        rows.add(DOCUMENTS.name, _document_row(file.source, found, num_bytes), num_bytes + _ROW_BYTES)
    elif isinstance(found, Quarantined):
        rows.add(QUARANTINE.name, _quarantine_row(file.source, found.scope, found.fault), 2 * _ROW_BYTES)
    else:
        rows.add(SOURCES.name, _source_row(file, found), _ROW_BYTES)


def _document_row(source: str, found: Document, num_bytes: int) -> tuple[Any, ...]:
    return (
        document_id(source, found.offset, found.text, found.target),
        source,
        found.offset,
        found.source_id,
        found.kind,
        found.text,
        found.target,
        num_bytes,
        found.url,
        list(found.metadata.items()),
        found.repaired,
    )


def _quarantine_row(source: str, scope: str, fault: Fault) -> tuple[Any, ...]:
    return (source, scope, fault.offset, fault.line, fault.reason, fault.detail, fault.excerpt)


def _source_row(file: InputFile, found: Summary) -> tuple[Any, ...]:
    return (
        file.source,
        file.format,
        found.compression,
        file.num_bytes,
        found.records,
        found.kept,
        found.quarantined,
        found.repaired,
        found.state,
        sorted(found.skipped.items()),
    )
