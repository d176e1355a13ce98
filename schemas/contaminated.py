"""`contaminated`: documents that left the corpus because they overlap an evaluation set."""

import pyarrow as pa

from schemas.common import DOC_ID, NUM_BYTES, SOURCE, SOURCE_ID
from schemas.table import Column, Table

CONTAMINATED = Table(
    name="contaminated",
    meaning="One row a surviving document that shares word n-grams with an evaluation set; optional.",
    columns=(
        DOC_ID,
        SOURCE,
        SOURCE_ID,
        NUM_BYTES,
        Column("eval_set", pa.string(), "Evaluation set of the first shared n-gram in the document."),
        Column("item_id", pa.string(), "The first item of that set that has this n-gram."),
        Column("num_ngrams", pa.int64(), "Words of the document at which a shared n-gram begins."),
        Column("share", pa.float64(), "num_ngrams by the n-grams that the document has, 0 to 1."),
        Column("example", pa.string(), "The first shared n-gram, lower-cased, as the document has it."),
        Column("eval_sets", pa.list_(pa.string()), "Every evaluation set that shares an n-gram with it."),
    ),
    key=("doc_id",),
    after="signatures",
)
