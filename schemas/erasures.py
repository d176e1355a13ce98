"""`erasures`: the requests to forget documents, what was done, and which models and steps had seen them."""

import pyarrow as pa

from schemas.table import Column, Table

ERASURES = Table(
    name="erasures",
    meaning="One row a request to forget documents; it holds ids and hashes, never their text.",
    columns=(
        Column("erasure_id", pa.string(), "Unique id of the erasure, 16 hex digits."),
        Column("state", pa.string(), "'started': the same command goes on with it; 'done'."),
        Column("requested_at", pa.timestamp("us", tz="UTC"), "When it was first asked for."),
        Column("finished_at", pa.timestamp("us", tz="UTC"), "When all of it was done; null before.", True),
        Column("reason", pa.string(), "The reason that was given with --reason.", True),
        Column(
            "request",
            pa.string(),
            "What was asked, as JSON: ids, where, near, ...; a literal of the condition that is a part of a "
            "forgotten text is left out.",
        ),
        Column("doc_ids", pa.list_(pa.string()), "Ids of the forgotten documents."),
        Column(
            "contents",
            pa.list_(pa.string()),
            "SHA-256 of each forgotten text as read, of a pair with a NUL byte and its target: ingest leaves "
            "records out that have one of these.",
        ),
        Column(
            "documents",
            pa.string(),
            "As JSON: source, source_id, offset of each, and why it went: 'asked', 'same text' or "
            "'near-duplicate'.",
        ),
        Column("plan", pa.string(), "Files, rows and sequences that were to be changed, as JSON."),
        Column("done", pa.string(), "What was changed and removed, as JSON; empty before the end."),
        Column("models", pa.string(), "The trainings that had seen one of the documents, as JSON."),
        Column("steps", pa.string(), "Model, step, epoch, sequence_id and doc_id of each time, as JSON."),
        Column(
            "masked",
            pa.map_(pa.string(), pa.string()),
            "Fingerprint of a version of `sequences` after the erasure, and the one that its trainings and "
            "checkpoints know it by.",
        ),
        Column("code_version", pa.string(), "Version and source hash of ringlake."),
    ),
    key=("erasure_id",),
    after="runs",
)
