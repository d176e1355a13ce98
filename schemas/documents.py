"""`documents`: raw text as read, one row a document, before any judgement of quality."""

import pyarrow as pa

from schemas.common import DOC_ID, LABEL, NUM_BYTES, OFFSET, SOURCE, SOURCE_ID, TARGET, TEXT, URL
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
            "kind",
            pa.string(),
            "What it is: 'docstring', 'topic', 'readme', 'page', 'record', 'pair', 'line', 'chat' or "
            "'paragraph'.",
        ),
        TEXT,
        TARGET,
        LABEL,
        NUM_BYTES,
        URL,
        Column(
            "metadata",
            pa.map_(pa.string(), pa.string()),
            "What else the source says of the document, by name, for example a WARC record's date.",
        ),
        Column("repaired", pa.bool_(), "Whether NULs or lone surrogates were removed while reading."),
    ),
    key=("doc_id",),
    after="sources",
)
