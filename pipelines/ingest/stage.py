"""The ingest stage: input files in, `sources`, `documents` and `quarantine` out."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from conf.ingest import IngestConfig
from pipelines.files.record import Document, document_id, utf8_length
from pipelines.ingest import installation, packages
from pipelines.ingest.assemble import (
    FAULTS,
    FOUND,
    PARTS,
    ROW_BYTES,
    assemble,
    document_row,
    fault_row,
    row_bytes,
)
from pipelines.ingest.discover import DELTA, InputFile, discover, fingerprint, split_version
from pipelines.ingest.formats.delta_table import numbered, read_tables
from pipelines.ingest.parts import Part, parts_of
from pipelines.ingest.read_file import Quarantined, Summary, read_part
from pipelines.ingest.readers import extensions_of, reader_of
from pipelines.stage_output import StageOutput
from pipelines.tagged import TaggedRows, tagged_spark_schema
from pipelines.worker import in_warm_worker
from ringlake.base.extensions import Extension, require
from schemas.documents import DOCUMENTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Opening a file costs about as much as reading so many bytes.
_BYTES_PER_OPEN = 16 * 2**10

# Many more tasks than cores: one task's files may take longer than their size says, and progress shows.
_TASKS_PER_CORE = 16
_TASK_BYTES = 64 * 2**20

_PARTS_SCHEMA = (
    "path binary, source string, format string, compression string, num_bytes long, version string, "
    "folder string, part long, start long, end long, of long"
)


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
    details: dict[str, Any] = {
        "num_files": len(found),
        "num_input_bytes": sum(file.num_bytes for file in found),
        "fingerprint": fingerprint(found),
    }
    if config.format == DELTA:
        tagged = read_tables(spark, found, config)
        tables = assemble(tagged)
        tables |= {DOCUMENTS.name: numbered(tables[DOCUMENTS.name])}
        details["tables"] = {file.source: split_version(file.path)[1] for file in found}
    else:
        parts = [part for file in found for part in parts_of(file, config)]
        bins = bin_by_size(parts, _num_tasks(parts, spark.sparkContext.defaultParallelism))
        tagged = _parts_dataframe(spark, bins).mapInArrow(
            in_warm_worker(_reader(config, extensions_of(file.format for file in found))),
            tagged_spark_schema(FOUND),
        )
        tables = assemble(tagged)
    return StageOutput(tables=tables, shared=(tagged,), details=details)


def bin_by_size(parts: list[Part], num_bins: int) -> list[list[Part]]:
    """Parts spread over bins so that each has about the same work: the largest first, to the emptiest bin."""
    bins: list[list[Part]] = [[] for _ in range(num_bins)]
    loads = [(0, index) for index in range(num_bins)]
    for part in sorted(parts, key=lambda part: (-part.num_bytes, part.file.source, part.index)):
        load, index = heapq.heappop(loads)
        bins[index].append(part)
        heapq.heappush(loads, (load + part.num_bytes + _BYTES_PER_OPEN, index))
    return [content for content in bins if content]


def _num_tasks(parts: list[Part], parallelism: int) -> int:
    total = sum(part.num_bytes + _BYTES_PER_OPEN for part in parts)
    return max(1, min(len(parts), max(parallelism * _TASKS_PER_CORE, total // _TASK_BYTES)))


def _parts_dataframe(spark: SparkSession, bins: list[list[Part]]) -> DataFrame:
    """One row a part, one partition a bin."""
    rows = [[_row_of(part) for part in content] for content in bins]
    partitions = spark.sparkContext.parallelize(rows, max(1, len(rows)))
    return spark.createDataFrame(partitions.flatMap(_same), _PARTS_SCHEMA)


def _row_of(part: Part) -> tuple[Any, ...]:
    file = part.file
    # A path may hold bytes that are no UTF-8, which a string column cannot carry.
    described = (os.fsencode(file.path), file.source, file.format, file.compression, file.num_bytes)
    return (*described, file.version, file.folder, part.index, part.start, part.end, part.of)


def _same(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return rows


def _part_of(row: dict[str, Any], config: IngestConfig) -> Part:
    path = os.fsdecode(row["path"])
    if not config.inputs or any(map(packages.is_package, config.inputs)):
        path = installation.here(path, row["source"])
    names = ("source", "format", "compression", "num_bytes", "version", "folder")
    file = InputFile(path, *(row[name] for name in names))
    return Part(file, row["part"], row["start"], row["end"], row["of"])


def read_parts(parts: Iterable[Part], config: IngestConfig) -> Iterator[pa.RecordBatch]:
    """The work of a task: what the parts hold, as tagged rows of `FOUND` in batches of bounded size."""
    rows = TaggedRows(FOUND)
    for part in parts:
        for found in read_part(part, config):
            table, row, num_bytes = _row(part, found)
            if not rows.has_room(num_bytes):
                yield from rows.flush()
            rows.add(table, row, num_bytes)
    yield from rows.flush()


def _reader(config: IngestConfig, extensions: tuple[Extension, ...]) -> Any:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        require(extensions)
        rows = (row for batch in batches for row in batch.to_pylist())
        return read_parts((_part_of(row, config) for row in rows), config)

    return read


def _row(part: Part, found: Document | Quarantined | Summary) -> tuple[str, tuple[Any, ...], int]:
    """The table of what was found, its row, and about how many bytes that has."""
    source = part.file.source
    if isinstance(found, Document):
        num_bytes = utf8_length(found.text)
        doc_id = document_id(source, found.offset, found.text, found.target)
        row = document_row(doc_id, source, found.offset, found, num_bytes)
        return DOCUMENTS.name, row, row_bytes(found, num_bytes)
    if isinstance(found, Quarantined):
        return FAULTS.name, fault_row(source, found.scope, found.fault, part.index), ROW_BYTES
    return PARTS.name, _part_row(part, found), ROW_BYTES


def _part_row(part: Part, found: Summary) -> tuple[Any, ...]:
    reader = reader_of(part.file.format)
    return (
        part.file.source,
        part.file.format,
        found.compression,
        part.file.num_bytes,
        part.index,
        found.num_lines,
        found.kept,
        found.quarantined,
        found.repaired,
        found.is_whole_file_quarantined,
        reader is not None and reader.needs_records,
        sorted(found.skipped.items()),
    )
