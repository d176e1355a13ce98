"""`batches`: the daily batches of a lake; a batch is in the lake once its row is here."""

import pyarrow as pa

from schemas.table import Column, Table

BATCHES = Table(
    name="batches",
    meaning="One row a daily batch that is in the lake whole.",
    columns=(
        Column("number", pa.int64(), "Its number, from 0."),
        Column("batch", pa.string(), "Its name, as `sources` has it."),
        Column("day", pa.string(), "Date that its files were chosen by (`--date`); null: all changes.", True),
        Column("planned_at", pa.timestamp("us", tz="UTC"), "When its files were looked for."),
        Column("config", pa.string(), "Sections of the configuration that decide its rows, as JSON."),
        Column("config_hash", pa.string(), "Hash of them as they were given."),
        Column("code_version", pa.string(), "Version and source hash of ringlake."),
        Column("new", pa.int64(), "Files that were new."),
        Column("late", pa.int64(), "Files that were new, but older than the batch before."),
        Column("replaced", pa.int64(), "Files whose content had changed."),
        Column("deleted", pa.int64(), "Files that were gone."),
        Column("documents", pa.int64(), "Documents read."),
        Column("kept", pa.int64(), "Documents that it added to `corpus`."),
        Column("withdrawn", pa.int64(), "Documents of replaced and deleted files that had been compared."),
        Column("reopened", pa.int64(), "Documents that were compared again, as one of their cluster went."),
        Column("superseded", pa.int64(), "Earlier survivors that are duplicates now."),
        Column("sequences", pa.map_(pa.string(), pa.int64()), "Sequences that it added, by split."),
        Column("versions", pa.map_(pa.string(), pa.int64()), "Version of each table with the batch in it."),
    ),
    key=("number",),
    after="runs",
)
