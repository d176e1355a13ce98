"""`repeats`: the lines or paragraphs that were dropped because many documents have them."""

import pyarrow as pa

from schemas.table import Column, Table

REPEATS = Table(
    name="repeats",
    meaning="One row a line or paragraph that occurs in so many documents that it is dropped; optional.",
    columns=(
        Column("unit_hash", pa.int64(), "64-bit hash of its words, lower-cased, as a signed integer."),
        Column("excerpt", pa.string(), "Its first 200 characters, as its first document has it."),
        Column("num_documents", pa.int64(), "Documents it occurs in."),
        Column("num_occurrences", pa.int64(), "Times it occurs in them."),
        Column("num_dropped", pa.int64(), "Times it was dropped."),
        Column("first_doc_id", pa.string(), "Of these documents the one with the smallest doc_id."),
    ),
    key=("unit_hash",),
    after="emptied",
)
