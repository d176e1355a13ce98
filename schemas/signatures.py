"""`signatures`: what a history keeps of every document of its batches, to compare later ones with it."""

import pyarrow as pa

from schemas.common import DOC_ID, NUM_BYTES, SOURCE
from schemas.table import Column, Table

ERASED_SEQUENCE = -1
"""The batch of forgotten documents, before all others; its rows keep the name of their own batch."""

SIGNATURES = Table(
    name="signatures",
    meaning="One row a document of a batch that was deduplicated against the history.",
    columns=(
        Column(
            "sequence",
            pa.int64(),
            "Number of the batch, from 0, in the order in which they came; -1: a forgotten document, whose "
            "num_bytes are then the largest number and whose source is empty.",
        ),
        Column("batch", pa.string(), "Name of the batch: its lake, unless it was given one."),
        Column("digest", pa.string(), "Hash of the batch's ids and texts: equal batches have equal ones."),
        Column("parameters", pa.string(), "What signatures were made with, as JSON; the same in every row."),
        DOC_ID,
        SOURCE,
        NUM_BYTES,
        Column("content", pa.binary(), "SHA-256 of the text's UTF-8 bytes."),
        Column("address", pa.string(), "Normal form of the url; null unless `dedup.url` is on.", True),
        Column(
            "keys",
            pa.list_(pa.int64()),
            "LSH keys; empty for a text without a word, or equal to one that the history has already.",
        ),
        Column(
            "component",
            pa.string(),
            "Label of its cluster when the batch came: the smallest doc_id. Empty: the batch withdraws the "
            "document, of which no row of an earlier batch counts any more.",
        ),
        Column(
            "links",
            pa.list_(pa.string()),
            "Labels of older clusters that it was found in: they and `component` are one cluster.",
        ),
        Column("kept_doc_id", pa.string(), "Survivor of its cluster when the batch came."),
    ),
    key=("sequence", "doc_id", "component"),
    partition_by=("sequence",),
    after="superseded",
)
