"""`sequences`: fixed-length training samples in globally shuffled order, traceable to documents."""

import pyarrow as pa

from schemas.common import SEGMENTS, SPLIT
from schemas.table import Column, Table
from schemas.token_ids import INPUT_IDS

SEQUENCES = Table(
    name="sequences",
    meaning="One row a training or validation sample of fixed length.",
    columns=(
        SPLIT,
        Column("sequence_id", pa.int64(), "Position in the split's global shuffle: 0 to n-1 without a gap."),
        Column(
            "input_ids",
            INPUT_IDS,
            "Exactly sequence_length token ids, little-endian, token_bytes (2 or 4) of the commit's metadata "
            "each.",
        ),
        Column(
            "num_tokens",
            pa.int32(),
            "How many of them are text or end-of-document tokens; the rest is padding with the "
            "end-of-document token and carries no loss. With pack.method concat only the last sequence of a "
            "split has padding.",
        ),
        Column(
            "segments",
            SEGMENTS,
            "The documents in it, in order: doc_id; start and end (exclusive) in input_ids, the document's "
            "end-of-document token included; doc_start, the token of the document it begins with.",
        ),
    ),
    key=("split", "sequence_id"),
    partition_by=("split",),
    after="vectors",
)
