"""`packed`: the documents that the sequences of daily batches hold, so that none is packed twice."""

import pyarrow as pa

from schemas.common import DOC_ID
from schemas.table import Column, Table

PACKED = Table(
    name="packed",
    meaning="One row a document that a daily batch has packed, whether it is still in `corpus` or not.",
    columns=(DOC_ID, Column("batch", pa.string(), "The daily batch that packed it.")),
    key=("doc_id",),
    after="incoming",
)
