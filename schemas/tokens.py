"""`tokens`: every document of the corpus as token ids."""

import pyarrow as pa

from schemas.common import DOC_ID, NUM_BYTES, SPLIT
from schemas.table import Column, Table
from schemas.token_ids import INPUT_IDS

TOKENS = Table(
    name="tokens",
    meaning="One row a document of the corpus, encoded; the end-of-document token is not included.",
    columns=(
        DOC_ID,
        SPLIT,
        Column(
            "input_ids",
            INPUT_IDS,
            "Token ids of the whole text, or of the examples of a task, little-endian, token_bytes (2 or 4) "
            "of the commit's metadata each.",
        ),
        Column("num_tokens", pa.int64(), "Number of token ids."),
        NUM_BYTES,
    ),
    key=("doc_id",),
    after="contaminated",
)
