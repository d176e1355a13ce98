"""`sources`: what ingest found in each input file, so that no file is skipped in silence."""

import pyarrow as pa

from schemas.common import SOURCE
from schemas.table import Column, Table

SOURCES = Table(
    name="sources",
    meaning="One row an input file: how many records it held and what became of them.",
    columns=(
        SOURCE,
        Column("format", pa.string(), "Reader that was used, or 'unknown'."),
        Column("compression", pa.string(), "'none', 'gzip', 'zstd' or 'bz2'."),
        Column("num_bytes", pa.int64(), "Size of the file as stored, in bytes."),
        Column("records", pa.int64(), "Records the reader came across, counted before any is judged."),
        Column("kept", pa.int64(), "Records that became documents."),
        Column("quarantined", pa.int64(), "Records that were quarantined (a whole file counts as one)."),
        Column("repaired", pa.int64(), "Kept records whose text needed repair to be valid UTF-8."),
        Column("state", pa.string(), "'read', 'partly read' or 'quarantined'."),
    ),
    key=("source",),
)
