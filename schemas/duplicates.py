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
        Column(
            "kept_doc_id",
            pa.string(),
            "The survivor of its cluster: in `corpus`, or in that of an earlier batch.",
        ),
        Column("kept_source_id", pa.string(), "The survivor's source_id.", True),
        Column("method", pa.string(), "'url' (same address), 'exact' (equal text) or 'minhash' (connected)."),
        Column(
            "similarity",
            pa.float64(),
            "True Jaccard similarity of both n-gram sets; 1 if the texts are equal; null if they are not and "
            "the survivor is of an earlier batch, whose texts are not at hand.",
            True,
        ),
        NUM_BYTES,
    ),
    key=("doc_id",),
    after="corpus",
)
