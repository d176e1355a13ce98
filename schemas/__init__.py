"""Every table of the lake, one module each: name, columns, types, meaning.

One definition yields both the Spark and the Arrow schema, so the two can never disagree.

Example:
    >>> from schemas import TABLES
    >>> TABLES["duplicates"].key
    ('doc_id',)
"""

from schemas.clean import CLEAN
from schemas.contaminated import CONTAMINATED
from schemas.corpus import CORPUS
from schemas.documents import DOCUMENTS
from schemas.duplicates import DUPLICATES
from schemas.emptied import EMPTIED
from schemas.features import TERMS, TFIDF, VECTORS
from schemas.mixed import MIXED
from schemas.quarantine import QUARANTINE
from schemas.refused import REFUSED
from schemas.rejected import REJECTED
from schemas.repeats import REPEATS
from schemas.runs import RUNS
from schemas.sequences import SEQUENCES
from schemas.signatures import SIGNATURES
from schemas.sources import SOURCES
from schemas.superseded import SUPERSEDED
from schemas.table import Column, Table
from schemas.tokens import TOKENS
from schemas.trimmed import TRIMMED

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        SOURCES,
        DOCUMENTS,
        QUARANTINE,
        CLEAN,
        REJECTED,
        TRIMMED,
        EMPTIED,
        REPEATS,
        CORPUS,
        DUPLICATES,
        SUPERSEDED,
        SIGNATURES,
        CONTAMINATED,
        TOKENS,
        REFUSED,
        MIXED,
        TERMS,
        TFIDF,
        VECTORS,
        SEQUENCES,
        RUNS,
    )
}

__all__ = [
    "CLEAN",
    "CONTAMINATED",
    "CORPUS",
    "DOCUMENTS",
    "DUPLICATES",
    "EMPTIED",
    "MIXED",
    "QUARANTINE",
    "REFUSED",
    "REJECTED",
    "REPEATS",
    "RUNS",
    "SEQUENCES",
    "SIGNATURES",
    "SOURCES",
    "SUPERSEDED",
    "TABLES",
    "TERMS",
    "TFIDF",
    "TOKENS",
    "TRIMMED",
    "VECTORS",
    "Column",
    "Table",
]
