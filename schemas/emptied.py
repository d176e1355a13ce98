"""`emptied`: documents that were little more than repeated lines or paragraphs."""

import pyarrow as pa

from schemas.common import DOC_ID, LANG, SOURCE, SOURCE_ID
from schemas.table import Column, Table

EMPTIED = Table(
    name="emptied",
    meaning="One row a document of `clean` that has too few words left without repeated units; optional.",
    columns=(
        DOC_ID,
        SOURCE,
        SOURCE_ID,
        LANG,
        Column("num_dropped", pa.int64(), "Lines or paragraphs that were dropped from it."),
        Column("num_bytes", pa.int64(), "Length of its text in `clean`, in UTF-8 bytes."),
        Column("words_left", pa.int64(), "Words that are left."),
    ),
    key=("doc_id",),
    after="trimmed",
)
