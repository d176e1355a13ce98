"""Delta tables as input: each row is a record of named fields, as a line of JSON Lines is.

The rows of a table have no order and no place, so that a document's id comes from what it says: from the
table's name, its own id, its text and its target. Of rows that are equal in these the id has a number too;
`offset` is that number, from 0. Which rows a file of the table holds, and in which order, changes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import xxhash

from conf.ingest import IngestConfig
from pipelines.errors import InputError
from pipelines.files.decompress import expansion_fault
from pipelines.files.record import Document, Fault, excerpt, utf8_length
from pipelines.ingest.assemble import FAULTS, FOUND, PARTS, ROW_BYTES, document_row, fault_row, row_bytes
from pipelines.ingest.discover import InputFile, split_version
from pipelines.ingest.formats.arrow_values import column_values
from pipelines.ingest.formats.fields import Place, missing, not_string, to_document
from pipelines.ingest.many_faults import Faults
from pipelines.lake.external import read_external
from pipelines.tagged import TaggedRows, tagged_spark_schema
from pipelines.worker import in_warm_worker
from schemas.documents import DOCUMENTS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructType


def read_tables(spark: SparkSession, tables: list[InputFile], config: IngestConfig) -> DataFrame:
    """The rows of tables as tagged rows of `FOUND`; equal rows have equal ids until `numbered`.

    Raises:
        InputError: A table has no column of the text, or a column has a type of which no text is made.
    """
    schema = tagged_spark_schema(FOUND)
    frames = []
    for table in tables:
        location, version = split_version(table.path)
        rows = read_external(spark, location, version)
        columns = _wanted_columns(rows.schema, table.source, config)
        # The log and the footers of the files know how many there are.
        fault = _expansion(table, config, 0, rows.count())
        if fault is not None:
            frames.append(spark.range(1, numPartitions=1).mapInArrow(_refused(table, fault), schema))
            continue
        # By place, as a name may hold dots and backticks, which Spark's expressions take for syntax.
        texts = frozenset(str(place) for place, name in enumerate(columns) if columns[name])
        chosen = [
            _readable(rows["`" + name.replace("`", "``") + "`"], rows.schema[name].dataType).alias(str(place))
            for place, name in enumerate(columns)
        ]
        reader = _reader(table, list(columns), texts, config)
        frames.append(rows.select(*chosen).mapInArrow(in_warm_worker(reader), schema))
        # A table without rows has its row in `sources` too.
        frames.append(spark.range(1, numPartitions=1).mapInArrow(_nothing(table), schema))
    return reduce(lambda one, other: one.unionByName(other), frames)


def numbered(documents: DataFrame) -> DataFrame:
    """The documents with ids that are all different: equal rows are numbered, the first keeps its id."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    equal = Window.partitionBy("doc_id").orderBy("url", "label", F.to_json("metadata"), "repaired")
    number = F.row_number().over(equal).cast("long") - 1
    again = F.md5(F.concat_ws("@", "doc_id", F.col("offset").cast("string")))
    return documents.withColumn("offset", number).withColumn(
        "doc_id", F.when(F.col("offset") == 0, F.col("doc_id")).otherwise(again)
    )


def row_id(source: str, source_id: str | None, text: str, target: str | None) -> str:
    """The id of a row's document: XXH3-128 of its table, its own id, text and target, joined by NUL bytes.

    What follows the table's name is no number, as it is for a file's documents; a value that is null differs
    from an empty one.
    """
    parts = [source, "row", *("-" if part is None else f"={part}" for part in (source_id, text, target))]
    return xxhash.xxh3_128_hexdigest("\0".join(parts).encode())


def _wanted_columns(schema: StructType, source: str, config: IngestConfig) -> dict[str, bool]:
    """The columns to read, and whether each is a string."""
    from pyspark.sql import types as T

    texts = {"text": config.text_field} | ({"target": config.target_field} if config.target_field else {})
    needed = texts | ({"label": config.label_field} if config.label_field else {})
    for side, name in needed.items():
        if name not in schema.names:
            raise InputError(
                f"{source}: {missing(side)}: the table has no column {name!r} (ingest.{side}_field); "
                f"there are {', '.join(map(repr, schema.names)):.300}"
            )
        if side in texts and not isinstance(schema[name].dataType, T.StringType):
            raise InputError(
                f"{source}: {not_string(side)}: the column {name!r} (ingest.{side}_field) has the type "
                f"{schema[name].dataType.simpleString()}, not string"
            )
    wanted = dict.fromkeys((*needed.values(), config.id_field, config.url_field, *config.metadata_fields))
    columns = [name for name in wanted if name in schema.names]
    return {name: isinstance(schema[name].dataType, T.StringType) for name in columns}


def _expansion(table: InputFile, config: IngestConfig, num_bytes: int, num_rows: int) -> Fault | None:
    """The fault of a table of which more comes out than its files may hold; it may have any size."""
    return expansion_fault(table.num_bytes, num_bytes, sys.maxsize, config.max_expansion, num_rows)


def _refused(table: InputFile, fault: Fault) -> Any:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = TaggedRows(FOUND)
        for _ in batches:
            rows.add(FAULTS.name, fault_row(table.source, "file", fault, 0), ROW_BYTES)
            rows.add(PARTS.name, _part_row(table, 0, 1, 0, is_refused=True), ROW_BYTES)
        yield from rows.flush()

    return read


def _readable(column: Column, kind: DataType) -> Column:
    """The column as a type that Spark hands to Python, whatever its values are."""
    from pyspark.sql import functions as F
    from pyspark.sql import types as T
    from pyspark.sql.pandas.types import to_arrow_type

    if isinstance(kind, T.StringType):
        # As bytes, so that a value that is no UTF-8 costs its row and not the run.
        return column.cast("binary")
    if isinstance(kind, T.VariantType):
        return F.to_json(column)
    try:
        to_arrow_type(kind)
    except Exception:  # noqa: BLE001 - Spark's errors for types that Arrow lacks differ by type
        return column.cast("string")
    return column


def _reader(table: InputFile, names: list[str], texts: frozenset[str], config: IngestConfig) -> Any:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = TaggedRows(FOUND)
        kept = repaired = num_bytes_out = num_rows = 0
        faults = Faults()
        for batch in batches:
            num_rows += batch.num_rows
            num_bytes_out += batch.nbytes
            # A value that a file holds once can come out as often as there are rows.
            bomb = _expansion(table, config, num_bytes_out, num_rows)
            for record in _records(batch, names, texts) if bomb is None else [{}] * batch.num_rows:
                found = _document(record, config) if bomb is None else bomb
                if isinstance(found, Document):
                    kept += 1
                    repaired += found.repaired
                    size = utf8_length(found.text)
                    doc_id = row_id(table.source, found.source_id, found.text, found.target)
                    row = document_row(doc_id, table.source, 0, found, size)
                    name, num_bytes = DOCUMENTS.name, row_bytes(found, size)
                elif faults.take(found):
                    name, num_bytes = FAULTS.name, ROW_BYTES
                    row = fault_row(table.source, "row", found, 0)
                else:
                    continue
                if not rows.has_room(num_bytes):
                    yield from rows.flush()
                rows.add(name, row, num_bytes)
        yield from rows.flush()
        for fault in faults.others():
            rows.add(FAULTS.name, fault_row(table.source, "row", fault, 0), ROW_BYTES)
        rows.add(PARTS.name, _part_row(table, kept, faults.total, repaired), ROW_BYTES)
        yield from rows.flush()

    return read


def _records(batch: pa.RecordBatch, names: list[str], texts: frozenset[str]) -> Iterator[dict[str, Any]]:
    """The rows of a batch whose columns have the names given, in order; texts are bytes."""
    columns = [
        batch.column(place).to_pylist() if str(place) in texts else column_values(batch.column(place))
        for place in range(len(names))
    ]
    return (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def _nothing(table: InputFile) -> Any:
    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = TaggedRows(FOUND)
        for _ in batches:
            rows.add(PARTS.name, _part_row(table, 0, 0, 0), ROW_BYTES)
        yield from rows.flush()

    return read


def _document(record: dict[str, Any], config: IngestConfig) -> Document | Fault:
    for name, value in record.items():
        if isinstance(value, bytes):
            try:
                record[name] = value.decode("utf-8")
            except UnicodeDecodeError:
                detail = f"the column {name!r} has bytes that are not UTF-8"
                return Fault(0, "not_utf8", detail, excerpt(value[:1000]))
    shown = record[config.text_field] or ""
    return to_document(record, Place(0, None, shown[:1000]), config)


def _part_row(
    table: InputFile, kept: int, quarantined: int, repaired: int, *, is_refused: bool = False
) -> tuple[Any, ...]:
    described = (table.source, table.format, table.compression, table.num_bytes)
    return (*described, 0, 0, kept, quarantined, repaired, is_refused, True, [])
