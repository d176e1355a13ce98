"""Columns that several tables share, defined once so that they mean the same everywhere."""

import pyarrow as pa

from schemas.table import Column

DOC_ID = Column(
    "doc_id",
    pa.string(),
    "Stable id: 32 hex digits, XXH3-128 of source, offset and text as read, or of what a Delta table's row "
    "says; equal input gives equal ids.",
)
SOURCE = Column("source", pa.string(), "File the document came from, relative to its input's root.")
OFFSET = Column(
    "offset",
    pa.int64(),
    "Byte offset of the record in the (decompressed) source file; in Parquet the row's number, in SQuAD's "
    "layout the paragraph's, in a Delta table its number among equal rows.",
)
SOURCE_ID = Column(
    "source_id", pa.string(), "The id the source gave the document, as text; null if it gave none.", True
)
TEXT = Column("text", pa.string(), "The document's text, UTF-8.")
LANG = Column("lang", pa.string(), "Language, ISO 639-1 where it has one; 'und' if undetermined.")
LANG_SCORE = Column("lang_score", pa.float64(), "Probability of the detected language, 0 to 1.")
NUM_BYTES = Column("num_bytes", pa.int64(), "Length of the text in UTF-8 bytes.")
URL = Column("url", pa.string(), "Address the document was found at; null if the source gave none.", True)
TARGET = Column(
    "target",
    pa.string(),
    "The other side of a parallel pair, for example the text's translation; null for a single text.",
    True,
)
LABEL = Column(
    "label",
    pa.string(),
    "What a task is to learn of the text: its class; for question answering the questions as JSON; null "
    "without one.",
    True,
)
SPLIT = Column("split", pa.string(), "'train' or 'validation'; equal for all members of a duplicate cluster.")

SEGMENTS = pa.list_(
    pa.struct(
        [
            pa.field("doc_id", pa.string(), nullable=False),
            pa.field("start", pa.int32(), nullable=False),
            pa.field("end", pa.int32(), nullable=False),
            pa.field("doc_start", pa.int64(), nullable=False),
        ]
    )
)
