"""`quarantine`: what could not be read, why and where; nothing is dropped in silence."""

import pyarrow as pa

from schemas.common import SOURCE
from schemas.table import Column, Table

QUARANTINE = Table(
    name="quarantine",
    meaning="One row a file or record that could not be read; their `records` add up to those quarantined in "
    "`sources`.",
    columns=(
        SOURCE,
        Column("scope", pa.string(), "'file' if nothing of the file was kept for this reason, else 'row'."),
        Column("offset", pa.int64(), "Byte offset in the (decompressed) file where the fault was met."),
        Column("line", pa.int64(), "Line number from 1 where the reader knows it.", True),
        Column(
            "reason",
            pa.string(),
            "Short code, e.g. 'not_utf8', 'bad_json', 'too_large', 'truncated', 'unknown_format'.",
        ),
        Column("detail", pa.string(), "One sentence with the value met and the limit it broke."),
        Column("excerpt", pa.string(), "Up to 200 characters from the place, unprintable ones escaped."),
        Column(
            "records",
            pa.int64(),
            "Records that the row stands for: 1; behind the first 10,000 of a file (of each part of a large "
            "one), all that have this reason, the first of them shown.",
        ),
    ),
    key=("source", "offset", "reason"),
    after="documents",
)
