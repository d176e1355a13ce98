"""The tables of ingest from what its tasks found: files that were read in parts become whole again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipelines.files.record import Document, Fault
from pipelines.ingest.read_file import empty_detail
from pipelines.tagged import text_bytes, untag
from schemas.documents import DOCUMENTS
from schemas.quarantine import QUARANTINE
from schemas.sources import SOURCES
from schemas.table import Column, Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROW_BYTES = 400
"""About what a row takes besides its long texts; a fault has a sentence and an excerpt."""

OF_BATCHES = ("batch", "change", "checksum", "version")
"""Columns of `sources` that daily batches fill in."""

_PART = Column("part", pa.int64(), "Place among the parts of the file, from 0.")

FAULTS = Table(
    name="faults",
    meaning="Quarantined records; their line numbers count from the beginning of the part.",
    columns=(*QUARANTINE.columns, _PART),
    key=QUARANTINE.key,
)

PARTS = Table(
    name="parts",
    meaning="One row a part of an input file.",
    columns=(
        *(SOURCES.column(name) for name in ("source", "format", "compression", "num_bytes")),
        _PART,
        Column("num_lines", pa.int64(), "Line feeds in the part."),
        *(SOURCES.column(name) for name in ("kept", "quarantined", "repaired")),
        Column("is_refused", pa.bool_(), "Whether the file is quarantined as a whole."),
        Column("needs_records", pa.bool_(), "Whether a file of this format without any record is a fault."),
        SOURCES.column("skipped"),
    ),
    key=("source", "part"),
)

FOUND = (PARTS, DOCUMENTS, FAULTS)
"""What a task of ingest hands on, as tagged rows."""


def document_row(doc_id: str, source: str, offset: int, found: Document, num_bytes: int) -> tuple[Any, ...]:
    """The row of `documents` for what a reader found; num_bytes is the length of its text in UTF-8."""
    return (
        doc_id,
        source,
        offset,
        found.source_id,
        found.kind,
        found.text,
        found.target,
        found.label,
        num_bytes,
        found.url,
        tuple(found.metadata.items()),
        found.repaired,
    )


def row_bytes(found: Document, num_bytes: int) -> int:
    """About what the row of a document takes in memory; num_bytes is the length of its text in UTF-8."""
    others = sum(map(text_bytes, (found.source_id, found.target, found.label, found.url)))
    return num_bytes + others + sum(map(text_bytes, found.metadata.items())) + ROW_BYTES


def fault_row(source: str, scope: str, fault: Fault, part: int) -> tuple[Any, ...]:
    """The row of `FAULTS` for a fault that a part of a file, or a table, holds."""
    told = (fault.reason, fault.detail, fault.excerpt, fault.records)
    return (source, scope, fault.offset, fault.line, *told, part)


def assemble(tagged: DataFrame) -> dict[str, DataFrame]:
    """The tables `sources`, `documents` and `quarantine` from the tagged rows of `FOUND`.

    The parts are rows by the file, not by the record, so that neither shuffle nor broadcast holds data.
    """
    parts = untag(tagged, PARTS)
    files = _files(parts)
    return {
        SOURCES.name: _alone(files),
        DOCUMENTS.name: untag(tagged, DOCUMENTS),
        QUARANTINE.name: _numbered(untag(tagged, FAULTS), parts).unionByName(_empty(files)),
    }


def _alone(files: DataFrame) -> DataFrame:
    """The rows of `sources` of a run that knows of no batches."""
    from pyspark.sql import functions as F

    unknown = {name: F.lit(None).cast("string") for name in OF_BATCHES}
    return files.withColumns(unknown).select(*SOURCES.column_names)


def _files(parts: DataFrame) -> DataFrame:
    """One row a file: counts summed over its parts, a file without any record refused."""
    from pyspark.sql import functions as F

    sums = [F.sum(name).alias(name) for name in ("kept", "quarantined", "repaired")]
    # All parts agree in these; no format whose files are cut skips anything.
    names = ("format", "compression", "num_bytes", "needs_records", "skipped")
    same = [F.first(name).alias(name) for name in names]
    refused = F.max("is_refused").alias("is_refused")
    summed = parts.groupBy("source").agg(*same, *sums, refused)
    is_empty = summed.needs_records & ~summed.is_refused & (summed.kept + summed.quarantined == 0)
    is_empty &= F.size(summed.skipped) == 0
    state = F.when(F.col("is_refused") | F.col("is_empty"), "quarantined")
    return (
        summed.withColumn("is_empty", is_empty)
        .withColumn("quarantined", F.col("quarantined") + F.col("is_empty").cast("long"))
        .withColumn("records", F.col("kept") + F.col("quarantined"))
        .withColumn("state", state.when(F.col("quarantined") > 0, "partly read").otherwise("read"))
    )


def _empty(files: DataFrame) -> DataFrame:
    """The rows of `quarantine` for files without a record, which no single part can know of."""
    from pyspark.sql import functions as F

    before, after = empty_detail("\0").split("\0")
    detail = F.concat(F.lit(before), F.format_number("num_bytes", 0), F.lit(after))
    return files.where("is_empty").select(
        "source",
        F.lit("file").alias("scope"),
        F.lit(0).cast("long").alias("offset"),
        F.lit(None).cast("long").alias("line"),
        F.lit("empty").alias("reason"),
        detail.alias("detail"),
        F.lit("").alias("excerpt"),
        F.lit(1).cast("long").alias("records"),
    )


def _numbered(faults: DataFrame, parts: DataFrame) -> DataFrame:
    """Quarantined records with line numbers that count from the beginning of the file."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    earlier = Window.partitionBy("source").orderBy("part").rowsBetween(Window.unboundedPreceding, -1)
    later = parts.select("source", "part", F.sum("num_lines").over(earlier).alias("before")).where("part > 0")
    joined = faults.join(F.broadcast(later), ["source", "part"], "left")
    line = (F.col("line") + F.coalesce("before", F.lit(0))).alias("line")
    return joined.select(*[line if name == "line" else name for name in QUARANTINE.column_names])
