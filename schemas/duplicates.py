"""`duplicates`: documents removed because another one with (nearly) the same content stays."""

import pyarrow as pa

from schemas.common import DOC_ID, NUM_BYTES, SOURCE, SOURCE_ID
from schemas.table import Column, Table

DUPLICATES = Table(
    name="duplicates",
    meaning="One row a removed document, naming the document that stays in its place.",
    columns=(
        DOC_ID,
        SOURCE,
        SOURCE_ID,
        Column("kept_doc_id", pa.string(), "The survivor of its cluster; always present in `corpus`."),
        Column("kept_source_id", pa.string(), "The survivor's source_id.", True),
        Column("method", pa.string(), "'exact' (equal text) or 'minhash' (connected by LSH buckets)."),
        Column("similarity", pa.float64(), "True Jaccard similarity of both word n-gram sets; 1 if exact."),
        NUM_BYTES,
    ),
    key=("doc_id",),
)
