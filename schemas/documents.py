"""`documents`: raw text as read, one row a document, before any judgement of quality."""

import pyarrow as pa

from schemas.common import DOC_ID, NUM_BYTES, OFFSET, SOURCE, SOURCE_ID, TEXT
from schemas.table import Column, Table

DOCUMENTS = Table(
    name="documents",
    meaning="One row a document that could be read.",
    columns=(
        DOC_ID,
        SOURCE,
        OFFSET,
        SOURCE_ID,
        Column(
            "kind", pa.string(), "What it is: 'docstring', 'topic', 'readme', 'page', 'record' or 'line'."
        ),
        TEXT,
        NUM_BYTES,
        Column("repaired", pa.bool_(), "Whether NULs or lone surrogates were removed while reading."),
    ),
    key=("doc_id",),
)
