"""`runs`: the ledger of finished stage runs: what went in, what came out, at what cost."""

import pyarrow as pa

from schemas.table import Column, Table

_VERSIONS = pa.map_(pa.string(), pa.int64())

RUNS = Table(
    name="runs",
    meaning="One row a stage run that ended; a stage that was skipped adds none.",
    columns=(
        Column("run_id", pa.string(), "Unique id of this run of the stage."),
        Column("stage", pa.string(), "Name of the stage."),
        Column("state", pa.string(), "'succeeded' or 'failed'."),
        Column(
            "run_key", pa.string(), "Hash of stage, config, inputs and code: equal keys need no second run."
        ),
        Column("inputs", _VERSIONS, "Version of each table that was read."),
        Column("outputs", _VERSIONS, "Version of each table that was written."),
        Column("unit", pa.string(), "What the row counts count: 'documents' or 'sequences'."),
        Column("rows_in", pa.int64(), "Rows that went in."),
        Column("rows_out", pa.int64(), "Rows that came out."),
        Column("rows_rejected", pa.int64(), "Rows a quality rule turned away."),
        Column("rows_quarantined", pa.int64(), "Rows or files that could not be read."),
        Column("rows_duplicate", pa.int64(), "Rows removed as duplicates."),
        Column("config_hash", pa.string(), "Hash of the stage's part of the configuration."),
        Column("config", pa.string(), "That part itself, as JSON."),
        Column("code_version", pa.string(), "Version and source hash of ringlake."),
        Column("started_at", pa.timestamp("us", tz="UTC"), "When it began."),
        Column("seconds", pa.float64(), "Wall time, in seconds."),
        Column("peak_memory_mb", pa.float64(), "Peak of the driver's process tree, in MiB."),
        Column(
            "cpu_seconds",
            pa.float64(),
            "CPU time of the driver's process tree, in seconds; on a cluster besides the time for which "
            "tasks held cores. Null: not measured.",
            True,
        ),
        Column("gpu_seconds", pa.float64(), "Time for which ranks held a GPU, added up, in seconds.", True),
        Column(
            "read_bytes",
            pa.int64(),
            "Bytes that Spark's tasks read, input files, and what ranks read of the sequences.",
            True,
        ),
        Column("written_bytes", pa.int64(), "Size of the tables and files that it left.", True),
        Column("details", pa.string(), "What the stage measured besides, as JSON."),
        Column("error", pa.string(), "Why it failed.", True),
    ),
    key=("run_id",),
    after="sequences",
)
