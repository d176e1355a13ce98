"""A small real lake of hand-written rows, many of them hostile, with a ledger that adds up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, write_deltalake

from conf import RunConfig
from pipelines.lake import Lake, Ledger, RunRecord
from pipelines.lake.paths import write_json
from pipelines.run.keys import config_json, digest
from schemas import TABLES

SCRIPT = "<script>alert('owned')</script>"
HOSTILE = (
    f'{SCRIPT}"><img src=x onerror=alert(1)> {{{{ 7*7 }}}} \u202eevil\u202c \u200b\x1b[31m\x00 &amp; end'
)
"""Markup, an attribute break, a template, bidirectional, zero-width and control characters, an entity."""

QUARANTINED_FILES = [f"broken/{SCRIPT}-{number}.jsonl" for number in range(3)]
NUM_QUARANTINED_ROWS = 210
NUM_DOCUMENTS = 40
NUM_REJECTED = 12
NUM_DUPLICATES = 8
CONFIG = RunConfig.model_validate(
    {"name": f"hostile {SCRIPT}", "lake": "the lake", "ingest": {"inputs": ["a.jsonl"], "format": "jsonl"}}
)
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

Row = dict[str, Any]


def put(lake: Lake, name: str, rows: list[Row], metadata: Row | None = None) -> None:
    """Writes rows as a Delta table of the lake."""
    table = TABLES[name]
    write_deltalake(
        lake.table(name),
        pa.Table.from_pylist(rows, schema=table.arrow_schema()),
        mode="overwrite",
        partition_by=list(table.partition_by) or None,
        commit_properties=CommitProperties(custom_metadata={"userMetadata": json.dumps(metadata or {})}),
    )


def record(lake: Lake, stage: str, minute: int, **more: Any) -> None:
    """Adds a run to the ledger: succeeded unless said otherwise, with the configuration of `CONFIG`."""
    sections = {"train": ("model", "train")}.get(stage, (stage,))
    config = config_json({name: getattr(CONFIG, name) for name in sections})
    values: Row = {
        "run_id": f"{stage}-{minute}",
        "stage": stage,
        "state": "succeeded",
        "run_key": digest(stage, minute),
        "config_hash": digest(config),
        "config": config,
        "code_version": "0.1.0+src.abc",
        "started_at": BEGAN + timedelta(minutes=minute),
        "seconds": 10.0 + minute,
        "peak_memory_mb": 1024.0,
    }
    Ledger(lake).append(RunRecord(**(values | more)))


def documents() -> list[Row]:
    """40 documents; the text of number i has 20 + 10 i bytes, but for the hostile number 0 and 1."""
    rows = []
    for number in range(NUM_DOCUMENTS):
        text = HOSTILE if number < 2 else f"doc {number:02d} ".ljust(20 + 10 * number, "x")
        rows.append(
            {
                "doc_id": f"{number:032x}",
                "source": f"in/{SCRIPT}.jsonl" if number < 2 else f"in/{number % 3}.jsonl",
                "offset": 100 * number,
                "source_id": None,
                "kind": "record",
                "text": text,
                "num_bytes": len(text.encode()),
                "metadata": [],
                "repaired": False,
            }
        )
    return rows


def quarantine() -> list[Row]:
    row = {
        "line": None,
        "reason": "not_utf8",
        "detail": f"byte 0xff {SCRIPT}",
        "excerpt": HOSTILE,
        "records": 1,
    }
    files = [{**row, "source": name, "scope": "file", "offset": 7} for name in QUARANTINED_FILES]
    lines = [
        {**row, "source": "in/0.jsonl", "scope": "row", "offset": n, "line": n, "reason": "bad_json"}
        for n in range(NUM_QUARANTINED_ROWS)
    ]
    return lines + files


def ingested(root: Path) -> Lake:
    """A lake on which only ingest has run."""
    lake = Lake.at(root)
    lake.create()
    rows, bad = documents(), quarantine()
    put(lake, "documents", rows)
    put(lake, "quarantine", bad)
    source = {"format": "jsonl", "compression": "none", "repaired": 0, "state": "partly read", "skipped": []}
    total = len(rows) + len(bad)
    put(
        lake,
        "sources",
        [
            {
                **source,
                "source": "in/0.jsonl",
                "num_bytes": 9000,
                "records": total,
                "kept": len(rows),
                "quarantined": len(bad),
            }
        ],
    )
    outputs = {"documents": 0, "quarantine": 0, "sources": 0}
    counts = {"rows_in": total, "rows_out": len(rows), "rows_quarantined": len(bad)}
    record(lake, "ingest", 0, outputs=outputs, **counts)
    return lake


def packed(root: Path) -> Lake:
    """A lake on which every data stage has run: 12 rejected, 8 duplicates, 20 documents in sequences."""
    lake = ingested(root)
    rows = documents()
    rejected, clean = rows[:NUM_REJECTED], rows[NUM_REJECTED:]
    put(lake, "rejected", [_rejected(number, row) for number, row in enumerate(rejected)])
    put(lake, "clean", [_clean(row) for row in clean])
    record(
        lake,
        "clean",
        1,
        inputs={"documents": 0},
        outputs={"clean": 0, "rejected": 0},
        rows_in=40,
        rows_out=28,
        rows_rejected=12,
    )
    kept, removed = clean[NUM_DUPLICATES:], clean[:NUM_DUPLICATES]
    corpus = [_corpus(row, NUM_DUPLICATES + 1 if row is kept[0] else 1) for row in kept]
    put(lake, "corpus", corpus)
    put(lake, "duplicates", [_duplicate(n, row, kept[0]) for n, row in enumerate(removed)])
    outputs = {"corpus": 0, "duplicates": 0}
    record(lake, "dedup", 2, inputs={"clean": 0}, outputs=outputs, rows_in=28, rows_out=20, rows_duplicate=8)
    made = {"tokenizer_hash": "ab", "vocab_size": 512, "eod_id": 0, "token_bytes": 2}
    put(lake, "tokens", [_tokens(row) for row in corpus], made)
    record(lake, "tokenize", 3, inputs={"corpus": 0}, outputs={"tokens": 0}, rows_in=20, rows_out=20)
    sequences = [
        {
            "split": split,
            "sequence_id": number,
            "input_ids": bytes([1, 0] * 8),
            "num_tokens": 8,
            "segments": [{"doc_id": corpus[0]["doc_id"], "start": 0, "end": 8, "doc_start": 0}],
        }
        for split, count in (("train", 9), ("validation", 2))
        for number in range(count)
    ]
    put(lake, "sequences", sequences, made | {"sequence_length": 8})
    record(lake, "pack", 4, inputs={"tokens": 0}, outputs={"sequences": 0}, rows_in=20, rows_out=20)
    return lake


def trained(root: Path) -> Lake:
    """A lake on which everything has run, with 30 steps of training, scores and hostile samples."""
    lake = packed(root)
    folder = Path(lake.checkpoints.child("key").location)
    folder.mkdir(parents=True)
    lines = []
    for step in range(1, 31):
        line: Row = {
            "step": step,
            "loss": 9 - step / 10,
            "tokens_per_second": 1000.0 + step,
            "data_wait_share": 0.02,
            "sent_bytes": 4_000 + 2 * step,
            "ring_bytes": 2_000,
            "staleness": 1.0,
            "staleness_max": 3 if step == 7 else 1,
            "updates": 2,
            "steps_ahead_max": 2 if step == 9 else 1,
            "ranks": 2 if step < 20 else 1,
        }
        if step % 10 == 0:
            line["validation_loss"] = 9.5 - step / 10
        lines.append(json.dumps(line))
    metrics = folder / "metrics.jsonl"
    metrics.write_text("\n".join(lines) + "\n", encoding="utf-8")
    details = {"metrics": str(metrics), "steps": 30, "parameters": 12345, "num_ranks": 2}
    counts = {"unit": "sequences", "inputs": {"sequences": 0}}
    record(lake, "train", 5, details=details, rows_in=9, rows_out=9, **counts)
    evaluation = {
        "targets": 14,
        "bytes": 60,
        "model": {"loss": 6.25, "bits_per_byte": 2.125},
        "unigram": {"loss": 8.5, "bits_per_byte": 3.75},
        "bigram": {"loss": 7.5, "bits_per_byte": 2.5},
        "below_bigram": 0.15,
    }
    write_json(lake.evaluation, evaluation)
    record(lake, "evaluate", 6, rows_in=2, rows_out=2, **counts)
    write_json(lake.samples, [{"prompt": f"Return {SCRIPT}", "text": HOSTILE}])
    record(lake, "generate", 7, unit="sequences")
    return lake


def _rejected(number: int, row: Row) -> Row:
    long = number >= 8
    return _only(row, "rejected") | {
        "rule": "too.long" if long else f"too.short {SCRIPT}",
        "value": float(100 + number) if long else float(number),
        "threshold": 99.0 if long else 10.0,
        "comparison": ">" if long else "<",
        "lang": f"x{SCRIPT}" if number == 0 else "en",
    }


def _clean(row: Row) -> Row:
    more = {"lang": "en", "lang_score": 0.9, "num_words": 4, "pii": [("email", 1)], "num_repairs": 2}
    return _only(row, "clean") | more | {"measures": [("too.short", 4.0)]}


def _corpus(row: Row, cluster_size: int) -> Row:
    return _only(row, "corpus") | {"lang": "en", "cluster_size": cluster_size, "split": "train"}


def _duplicate(number: int, row: Row, kept: Row) -> Row:
    exact = number % 2 == 0
    return _only(row, "duplicates") | {
        "kept_doc_id": kept["doc_id"],
        "kept_source_id": None,
        "method": "exact" if exact else "minhash",
        "similarity": 1.0 if exact else 0.8 + number / 100,
    }


def _tokens(row: Row) -> Row:
    return _only(row, "tokens") | {
        "split": row["split"],
        "input_ids": bytes([1, 0, 2, 0, 3, 0]),
        "num_tokens": 3,
    }


def _only(row: Row, table: str) -> Row:
    return {name: row[name] for name in TABLES[table].column_names if name in row}
