"""`mixed`: how often each tokenized document is packed."""

import pyarrow as pa

from schemas.common import DOC_ID, SPLIT
from schemas.table import Column, Table

MIXED = Table(
    name="mixed",
    meaning="One row a row of `tokens`: how many copies of it are packed; optional.",
    columns=(
        DOC_ID,
        SPLIT,
        Column("group", pa.string(), "The first group of the mixture that fits; null if none does.", True),
        Column("copies", pa.int32(), "Times it is packed; 0 = left out, always 1 in the validation split."),
        Column("num_tokens", pa.int64(), "Tokens of the document, its end-of-document token included."),
    ),
    key=("doc_id",),
    after="refused",
)
