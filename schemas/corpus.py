"""`corpus`: the documents that stay after deduplication, split into train and validation."""

import pyarrow as pa

from schemas.common import DOC_ID, LABEL, LANG, NUM_BYTES, SOURCE, SOURCE_ID, SPLIT, TARGET, TEXT, URL
from schemas.table import Column, Table

CORPUS = Table(
    name="corpus",
    meaning="One row a document that goes into training or validation.",
    columns=(
        DOC_ID,
        SOURCE,
        SOURCE_ID,
        TEXT,
        TARGET,
        LABEL,
        NUM_BYTES,
        URL,
        LANG,
        Column("cluster_size", pa.int64(), "Members of its duplicate cluster, itself included; 1 if unique."),
        SPLIT,
    ),
    key=("doc_id",),
    after="repeats",
)
