"""`ringlake run --incremental`: days of new, replaced and deleted files give the lake of one big run."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf import RunConfig, load
from pipelines.console.console import Console
from pipelines.daily.plan import finished_batches
from pipelines.daily.run import Daily, run_daily
from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake
from pipelines.run.execute import execute
from tests.dedup.support import random_words
from tests.support.cli import write_run
from tests.support.tables import rows

DATA = ("documents", "quarantine", "clean", "rejected", "corpus", "tokens")
"""Tables whose rows are those of one big run; tokens but for their ids, which the tokenizer decides."""

Files = Mapping[str, list[str]]


def write(folder: Path, files: Files) -> None:
    """Files of one document a line, whose id is its place."""
    folder.mkdir(exist_ok=True)
    for name, texts in files.items():
        lines = [json.dumps({"id": str(place), "text": text}) for place, text in enumerate(texts)]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def config_of(folder: Path, lake: Path, *settings: str) -> RunConfig:
    run_file = write_run(folder / "run.yaml", folder / "in")
    plain = ["clean.profile=none", "dedup.ngram=2", "dedup.validation_fraction=0.3"]
    return load(run_file, [f"lake={lake}", *plain, *settings])


def day(config: RunConfig, until: str | None = "pack", **daily: Any) -> None:
    run_daily(config, Console(), Daily(**daily), until=until)


def texts(seed: int, number: int) -> list[str]:
    random_ = random.Random(seed)
    return [" ".join(random_words(random_, 40)) for _ in range(number)]


def ids(lake: Path, table: str) -> list[Any]:
    return sorted(row["doc_id"] for row in rows(lake, table))


def check_sequences(lake: Path) -> None:
    """The ids of each split follow one another, and each document of a batch begins once."""
    found = rows(lake, "sequences")
    for split in {row["split"] for row in found}:
        own = sorted(row["sequence_id"] for row in found if row["split"] == split)
        assert own == list(range(len(own)))
    for batch in finished_batches(Lake.at(lake)):
        assert batch["kept"] >= 0
    begins = [part["doc_id"] for row in found for part in row["segments"] if part["doc_start"] == 0]
    assert set(ids(lake, "tokens")) <= set(begins)


def test_days_are_one_big_run(spark: SparkSession, tmp_path: Path) -> None:
    """New, replaced, deleted files; a survivor that goes, a longer copy that comes; then nothing new."""
    folder, lake = tmp_path / "in", tmp_path / "lake"
    base = texts(1, 24)
    config = config_of(tmp_path, lake)
    write(folder, {"a.jsonl": base[:8], "b.jsonl": [base[0], f"{base[1]} more", *base[8:12]]})
    day(config)
    first = Catalog(Lake.at(lake)).info("sequences")
    # A copy of one of a.jsonl that is longer, one of b.jsonl's, and new ones.
    write(folder, {"c.jsonl": [f"{base[2]} and more words", base[8], *base[12:16]]})
    day(config)
    # b.jsonl was the survivor of base[1]; c.jsonl loses its longer copy of base[2].
    write(folder, {"b.jsonl": [base[0], *base[8:12], base[20]], "c.jsonl": base[12:18]})
    (folder / "a.jsonl").touch()
    day(config)
    (folder / "a.jsonl").unlink()
    day(config)
    done = [dict(row) for row in finished_batches(Lake.at(lake))]
    assert [[row[name] for name in ("new", "late", "replaced", "deleted")] for row in done] == [
        [2, 0, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 2, 0],
        [0, 0, 0, 1],
    ]
    assert done[1]["superseded"] > 0
    assert done[2]["reopened"] > 0
    execute(config_of(tmp_path, tmp_path / "whole"), Console(), until="pack")
    for table in ("documents", "clean", "corpus", "tokens"):
        assert ids(lake, table) == ids(tmp_path / "whole", table), table
    assert {row["doc_id"]: row["split"] for row in rows(lake, "corpus")} == {
        row["doc_id"]: row["split"] for row in rows(tmp_path / "whole", "corpus")
    }
    assert ids(lake, "duplicates") == ids(tmp_path / "whole", "duplicates")
    check_sequences(lake)
    arrived = sorted((row["batch"], row["source"], row["change"]) for row in rows(lake, "sources"))
    assert arrived == [
        ("000000", "a.jsonl", "new"),
        ("000000", "b.jsonl", "new"),
        ("000001", "c.jsonl", "new"),
        ("000002", "b.jsonl", "replaced"),
        ("000002", "c.jsonl", "replaced"),
        ("000003", "a.jsonl", "deleted"),
    ]
    versions = {name: Catalog(Lake.at(lake)).version(name) for name in Catalog(Lake.at(lake)).names()}
    day(config)
    assert versions == {name: Catalog(Lake.at(lake)).version(name) for name in versions}, "nothing was new"
    # What was packed first lies where it lay.
    paths = Catalog(Lake.at(lake)).active_paths("sequences", first.version)
    now = Catalog(Lake.at(lake)).info("sequences").version
    assert paths < Catalog(Lake.at(lake)).active_paths("sequences", now)
    with pytest.raises(InputError, match="has daily batches"):
        execute(config, Console(), until="pack")
