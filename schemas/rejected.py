"""`rejected`: documents that a quality rule turned away, with the evidence."""

import pyarrow as pa

from schemas.common import DOC_ID, LANG, SOURCE, SOURCE_ID
from schemas.table import Column, Table

REJECTED = Table(
    name="rejected",
    meaning="One row a document that failed a rule; the first failing rule in the profile's order decides.",
    columns=(
        DOC_ID,
        SOURCE,
        SOURCE_ID,
        Column("rule", pa.string(), "Name of the rule, e.g. 'gopher.mean_word_length.max'."),
        Column("value", pa.float64(), "What the rule measured on this document."),
        Column("threshold", pa.float64(), "The limit that the value broke."),
        Column(
            "comparison", pa.string(), "'<' if the value had to be at least the threshold, '>' if at most."
        ),
        LANG,
        Column("num_bytes", pa.int64(), "Length of the text as read, in UTF-8 bytes."),
    ),
    key=("doc_id",),
    after="clean",
)
