"""What the features stage writes: `terms`, `tfidf` and `vectors`."""

import pyarrow as pa

from schemas.common import DOC_ID
from schemas.table import Column, Table

_TERM_ID = "Position in the vocabulary, the most frequent term first; terms of equal frequency by name."

TERMS = Table(
    name="terms",
    meaning="One row a term of the vocabulary.",
    columns=(
        Column("term_id", pa.int32(), _TERM_ID),
        Column("term", pa.string(), "The word, in lower case."),
        Column("num_documents", pa.int64(), "Documents it occurs in."),
        Column("num_occurrences", pa.int64(), "How often it occurs."),
        Column("idf", pa.float64(), "Inverse document frequency: ln((documents + 1) / (num_documents + 1))."),
    ),
    key=("term_id",),
    after="mixed",
)

TFIDF = Table(
    name="tfidf",
    meaning="One row a document of the corpus: its terms with their weights.",
    columns=(
        DOC_ID,
        Column("num_words", pa.int64(), "Words of the document without stop words, known terms or not."),
        Column("term_ids", pa.list_(pa.int32()), "The terms that occur in it, in ascending order."),
        Column("weights", pa.list_(pa.float64()), "Occurrences of each, times its idf."),
    ),
    key=("doc_id",),
    after="terms",
)

VECTORS = Table(
    name="vectors",
    meaning="One row a word, or a token of the tokenizer, that occurs often enough.",
    columns=(
        Column("term", pa.string(), "The word in lower case, or the token's id as text."),
        Column("vector", pa.list_(pa.float32()), "Its vector, features.vector_size numbers."),
    ),
    key=("term",),
    after="tfidf",
)
