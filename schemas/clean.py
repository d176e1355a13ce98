"""`clean`: repaired, redacted documents that passed every quality rule, with all measured values."""

import pyarrow as pa

from schemas.common import (
    DOC_ID,
    LABEL,
    LANG,
    LANG_SCORE,
    NUM_BYTES,
    SOURCE,
    SOURCE_ID,
    TARGET,
    TEXT,
    URL,
)
from schemas.table import Column, Table

CLEAN = Table(
    name="clean",
    meaning="One row a document that passed the quality rules.",
    columns=(
        DOC_ID,
        SOURCE,
        SOURCE_ID,
        TEXT,
        TARGET,
        LABEL,
        NUM_BYTES,
        URL,
        LANG,
        LANG_SCORE,
        Column("num_words", pa.int64(), "Number of words before redaction, by the profile's splitter."),
        Column(
            "pii",
            pa.map_(pa.string(), pa.int32()),
            "Personal data replaced by placeholders in text and target, by kind ('email', 'phone', ...).",
        ),
        Column(
            "num_repairs",
            pa.int32(),
            "Characters that repair changed or removed in text and target: those as read that are gone.",
        ),
        Column(
            "measures",
            pa.map_(pa.string(), pa.float64()),
            "Value of every rule of the profile, by rule name, for tuning thresholds by query; lines that a "
            "step dropped, by its name, where it counts them.",
        ),
    ),
    key=("doc_id",),
    after="quarantine",
)
