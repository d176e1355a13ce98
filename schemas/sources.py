"""`sources`: what ingest found in each input file, so that no file is skipped in silence."""

import pyarrow as pa

from schemas.common import SOURCE
from schemas.table import Column, Table

ERASED = "erased"
"""Key of `skipped` for documents that were forgotten."""

SOURCES = Table(
    name="sources",
    meaning="One row an input file: how many records it held and what became of them.",
    columns=(
        SOURCE,
        Column("format", pa.string(), "Reader that was used, e.g. 'jsonl', or 'unknown' where none fits."),
        Column("compression", pa.string(), "'none', 'gzip', 'zstd', 'bz2', 'xz' or 'lz4'."),
        Column("num_bytes", pa.int64(), "Size of the file as stored, in bytes."),
        Column(
            "records",
            pa.int64(),
            "Records the reader came across: kept + quarantined, always. A file that is quarantined as a "
            "whole, an empty one too, counts as one record, for how many it held cannot be known; blank "
            "lines and blank docstrings are none.",
        ),
        Column("kept", pa.int64(), "Records that became documents."),
        Column("quarantined", pa.int64(), "Records in `quarantine`: the sum of its `records`."),
        Column("repaired", pa.int64(), "Kept records whose text needed repair to be valid UTF-8."),
        Column("state", pa.string(), "'read', 'partly read' or 'quarantined'."),
        Column(
            "skipped",
            pa.map_(pa.string(), pa.int64()),
            "What was never meant to be a document, by what it is, such as a WARC's requests: no records; "
            "'erased': documents that were forgotten (`erasures`), no records any more either.",
        ),
        Column("batch", pa.string(), "Daily batch that found the file so; null in a lake without any.", True),
        Column(
            "change",
            pa.string(),
            "What the batch found: 'new', 'late' (new, but older than the batch before), 'replaced' or "
            "'deleted'; the row of the last batch is what holds of a file.",
            True,
        ),
        Column(
            "checksum", pa.string(), "SHA-256 of the stored bytes; null for tables and deleted files.", True
        ),
        Column("version", pa.string(), "Time of change, ETag or table version when it was read.", True),
    ),
    key=("source", "batch"),
)
