"""`withdrawn`: what a daily batch takes out of the history of deduplication before it is compared."""

import pyarrow as pa

from schemas.common import DOC_ID, SOURCE
from schemas.table import Column, Table

WITHDRAWN = Table(
    name="withdrawn",
    meaning="One row a document that a daily batch takes out of the clusters so far.",
    columns=(
        DOC_ID,
        SOURCE,
        Column(
            "is_reopened",
            pa.bool_(),
            "Whether it stays in the lake and is compared anew, since another one of its cluster went.",
        ),
    ),
    key=("doc_id",),
    after="batches",
)
