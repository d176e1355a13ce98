"""`trimmed`: the clean documents without the lines or paragraphs that many documents share."""

import pyarrow as pa

from schemas.clean import CLEAN
from schemas.table import Column, Table

TRIMMED = Table(
    name="trimmed",
    meaning="One row a document of `clean` that has text left without repeated units; optional.",
    columns=(
        *CLEAN.columns,
        Column("num_dropped", pa.int64(), "Lines or paragraphs that were dropped from it."),
        Column("bytes_dropped", pa.int64(), "UTF-8 bytes that its text lost."),
    ),
    key=("doc_id",),
    after="rejected",
)
