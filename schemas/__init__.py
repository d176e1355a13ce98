"""Every table of the lake, one module each: name, columns, types, meaning.

One definition yields both the Spark and the Arrow schema, so the two can never disagree.

Example:
    >>> from schemas import TABLES
    >>> TABLES["duplicates"].key
    ('doc_id',)
"""

from schemas.clean import CLEAN
from schemas.corpus import CORPUS
from schemas.documents import DOCUMENTS
from schemas.duplicates import DUPLICATES
from schemas.features import TERMS, TFIDF, VECTORS
from schemas.quarantine import QUARANTINE
from schemas.rejected import REJECTED
from schemas.runs import RUNS
from schemas.sequences import SEQUENCES
from schemas.sources import SOURCES
from schemas.table import Column, Table
from schemas.tokens import TOKENS

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        SOURCES,
        DOCUMENTS,
        QUARANTINE,
        CLEAN,
        REJECTED,
        CORPUS,
        DUPLICATES,
        TOKENS,
        TERMS,
        TFIDF,
        VECTORS,
        SEQUENCES,
        RUNS,
    )
}

__all__ = [
    "CLEAN",
    "CORPUS",
    "DOCUMENTS",
    "DUPLICATES",
    "QUARANTINE",
    "REJECTED",
    "RUNS",
    "SEQUENCES",
    "SOURCES",
    "TABLES",
    "TERMS",
    "TFIDF",
    "TOKENS",
    "VECTORS",
    "Column",
    "Table",
]
