"""`refused`: documents of the corpus that are no example of the run's task, with the reason."""

import pyarrow as pa

from schemas.common import DOC_ID, SOURCE, SOURCE_ID, SPLIT
from schemas.table import Column, Table

REFUSED = Table(
    name="refused",
    meaning="One row a document that is no example of the task, or a question of one; not written for a "
    "language-model.",
    columns=(
        DOC_ID,
        SOURCE,
        SOURCE_ID,
        SPLIT,
        Column("reason", pa.string(), "Short code, e.g. 'too_long', 'no_target', 'unknown_label'."),
        Column("detail", pa.string(), "One sentence with the value met and the limit it broke."),
        Column(
            "part",
            pa.int64(),
            "0: the whole document; n: only its n-th question, its others may be examples "
            "(question-answering).",
        ),
    ),
    after="tokens",
    key=("doc_id", "part"),
)
