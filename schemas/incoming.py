"""`incoming`: what a daily batch compares: its own clean documents and those that it compares anew."""

from schemas.clean import CLEAN
from schemas.table import Table

INCOMING = Table(
    name="incoming",
    meaning="One row a document of `clean` that a daily batch compares, or compares anew.",
    columns=CLEAN.columns,
    key=("doc_id",),
    after="withdrawn",
)
