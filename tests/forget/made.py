"""A lake made without Spark: tables with texts, two versions of each, files of a killed writer."""

from __future__ import annotations

import html
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake

from pipelines.files.record import document_id
from pipelines.lake import Lake
from schemas import TABLES

EOD, LENGTH, GROUP = 256, 64, 4
"""End-of-document token behind 256 bytes; tokens of a sequence; rows of a row group."""

SOURCE = "corpus.jsonl"


@dataclass(frozen=True)
class Made:
    """The lake and its documents.

    Attributes:
        lake: The lake.
        texts: Text by source_id: `a` survives `a-near` and `a-exact`, `bad` was rejected, the others are
            alone, `u5` in validation.
        ids: doc_id by source_id.
    """

    lake: Lake
    texts: dict[str, str]
    ids: dict[str, str]


def text_of(name: str) -> str:
    """A text of words that no other has, some of them quoted."""
    random_ = random.Random(name)
    words = ["".join(random_.choices("abcdefghijklmnoprstuvwé", k=9)) for _ in range(24)]
    return " ".join(f'"{word}",' if place % 5 == 2 else word for place, word in enumerate(words))


def make_lake(folder: Path) -> Made:
    """A lake of ten documents, written twice: as by `run` and by `run --force`."""
    names = ["a", "a-near", "bad", *(f"u{number}" for number in range(6))]
    texts = {name: text_of(name.replace("a-near", "a")) for name in names}
    texts["a-near"] = texts["a"][:-40] + " and that is all there is to say"
    texts["a-exact"] = texts["a"]
    # The last in the order of texts, so that logs have its beginning.
    texts["u1"] = f"zz {texts['u1']}"
    ids = {name: document_id(SOURCE, at, text) for at, (name, text) in enumerate(texts.items())}
    lake = Lake.at(folder)
    lake.create()
    for _ in range(2):
        _write_all(lake, texts, ids)
    DeltaTable(lake.table("documents")).create_checkpoint()
    made = Made(lake, texts, ids)
    _leave_behind(made)
    return made


def _write_all(lake: Lake, texts: Mapping[str, str], ids: Mapping[str, str]) -> None:
    ingest = {"stage": "ingest", "run_key": "ingest-key", "inputs": {}}
    source = {
        **{"source": SOURCE, "format": "jsonl", "compression": "none", "num_bytes": 1, "repaired": 0},
        **{"records": len(texts) + 1, "kept": len(texts), "quarantined": 1, "state": "partly read"},
        "skipped": [],
    }
    fault = {"source": SOURCE, "scope": "row", "offset": 99, "line": 7, "reason": "bad_json", "detail": "cut"}
    write(lake, "sources", [source], ingest)
    rows = {name: _document(name, text, ids[name], at) for at, (name, text) in enumerate(texts.items())}
    write(lake, "documents", rows.values(), ingest)
    write(lake, "quarantine", [fault | {"excerpt": '{"text": "' + texts["u1"][:90], "records": 1}], ingest)
    stays = [name for name in texts if name != "bad"]
    lang = {"lang": "en", "lang_score": 1.0}
    more = {**lang, "num_words": 9, "pii": [], "num_repairs": 0, "measures": [("words", 9.0)]}
    write(lake, "clean", [rows[name] | more for name in stays])
    write(
        lake,
        "rejected",
        [rows["bad"] | lang | {"rule": "r", "value": 1.0, "threshold": 2.0, "comparison": "<"}],
    )
    alone = [name for name in stays if not name.startswith("a-")]
    splits = {name: "validation" if name == "u5" else "train" for name in alone}
    sizes = {"a": 3}
    write(
        lake,
        "corpus",
        [
            rows[name] | {"lang": "en", "cluster_size": sizes.get(name, 1), "split": splits[name]}
            for name in alone
        ],
    )
    kept = {"kept_doc_id": ids["a"], "kept_source_id": "a"}
    write(
        lake,
        "duplicates",
        [
            rows["a-near"] | kept | {"method": "minhash", "similarity": 0.9},
            rows["a-exact"] | kept | {"method": "exact", "similarity": 1.0},
        ],
    )
    tokens = [
        {
            "doc_id": ids[name],
            "split": splits[name],
            "input_ids": _bytes(list(texts[name].encode())),
            "num_tokens": len(texts[name].encode()),
            "num_bytes": len(texts[name].encode()),
        }
        for name in alone
    ]
    noted = {"tokenizer_hash": "ab" * 32, "vocab_size": 257, "eod_id": EOD, "token_bytes": 2}
    write(lake, "tokens", tokens, {"stage": "tokenize", **noted})
    write(
        lake,
        "sequences",
        packed(tokens),
        {"stage": "pack", "sequence_length": LENGTH, "rows_per_group": GROUP, **noted},
        ["split"],
    )
    unit = {"unit_hash": 1, "excerpt": texts["u2"][:60], "first_doc_id": ids["u2"], "num_dropped": 2}
    write(lake, "repeats", [unit | {"num_documents": 2, "num_occurrences": 2}])


def packed(tokens: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Documents one after another, an end-of-document token behind each, cut into sequences."""
    rows = []
    for split in ("train", "validation"):
        stream: list[tuple[int, str, int]] = []
        for row in tokens:
            if row["split"] == split:
                ids = np.frombuffer(row["input_ids"], "<u2").tolist()
                stream += [(token, row["doc_id"], at) for at, token in enumerate([*ids, EOD])]
        for number, first in enumerate(range(0, len(stream), LENGTH)):
            part = stream[first : first + LENGTH]
            segments: list[dict[str, Any]] = []
            for at, (_, doc_id, doc_at) in enumerate(part):
                if not segments or segments[-1]["doc_id"] != doc_id:
                    segments.append({"doc_id": doc_id, "start": at, "end": at, "doc_start": doc_at})
                segments[-1]["end"] = at + 1
            ids = [token for token, _, _ in part]
            rows.append(
                {
                    "split": split,
                    "sequence_id": number,
                    "input_ids": _bytes(ids + [EOD] * (LENGTH - len(ids))),
                    "num_tokens": len(ids),
                    "segments": segments,
                }
            )
    return rows


def write(
    lake: Lake,
    name: str,
    rows: Iterable[Mapping[str, Any]],
    noted: Mapping[str, Any] | None = None,
    partition_by: list[str] | None = None,
) -> None:
    """Replaces a table in one commit with a stage's notes."""
    schema = TABLES[name].arrow_schema()
    table = pa.Table.from_pylist([{key: row.get(key) for key in schema.names} for row in rows], schema=schema)
    write_deltalake(
        lake.table(name),
        table,
        mode="overwrite",
        partition_by=partition_by,
        writer_properties=WriterProperties(max_row_group_size=GROUP, compression="SNAPPY"),
        commit_properties=CommitProperties(custom_metadata={"userMetadata": json.dumps(noted or {})}),
    )


def _document(name: str, text: str, doc_id: str, offset: int) -> dict[str, Any]:
    return {
        **{"doc_id": doc_id, "source": SOURCE, "offset": offset, "source_id": name, "kind": "record"},
        **{"text": text, "num_bytes": len(text.encode()), "metadata": [], "repaired": False},
    }


def _bytes(ids: list[int]) -> bytes:
    return np.array(ids, "<u2").tobytes()


def _leave_behind(made: Made) -> None:
    """What runs leave beside tables: a killed writer's files, a report, samples, a log, an index, a model."""
    root = made.lake.root.local_path
    documents = root / "tables" / "documents"
    lost = pa.table({"doc_id": [made.ids["u1"]], "text": [made.texts["u1"]]})
    pq.write_table(lost, documents / "part-lost.parquet")
    (documents / "part-cut.parquet").write_bytes((documents / "part-lost.parquet").read_bytes()[:-20])
    (documents / ".part-new.parquet.7.tmp").write_text(made.texts["u1"])
    (root / "report.html").write_text(f"<p>{html.escape(made.texts['u1'][20:120])}</p>")
    (root / "samples.json").write_text(json.dumps({"samples": [made.texts["u1"][:80]]}))
    (root / "evaluation.json").write_text(json.dumps({"perplexity": 3.0}))
    (root / "logs").mkdir()
    (root / "logs" / "spark.log").write_text("WARN " + made.texts["u1"][30:90])
    (root / "indexes" / "overlap-1").mkdir(parents=True)
    (root / "indexes" / "overlap-1" / "bucket-0000.parquet").write_bytes(b"PAR1")
    (root / "model").mkdir()
    (root / "model" / "README.md").write_text("as in: " + made.texts["u1"][:60])
