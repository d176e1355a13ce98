"""`superseded`: survivors of earlier batches in whose place another document stays now."""

import pyarrow as pa

from schemas.common import DOC_ID, NUM_BYTES, SOURCE
from schemas.table import Column, Table

SUPERSEDED = Table(
    name="superseded",
    meaning="One row a document that an earlier batch kept and that does not stay any more.",
    columns=(
        DOC_ID,
        SOURCE,
        Column("batch", pa.string(), "Batch of the history that kept it."),
        Column("kept_doc_id", pa.string(), "The survivor of its cluster now: of this batch or the history."),
        NUM_BYTES,
    ),
    key=("doc_id",),
    after="duplicates",
)
