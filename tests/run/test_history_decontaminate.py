"""A history and decontamination together, through the run: each does what it does alone."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf import load
from pipelines.console.console import Console
from pipelines.lake import Lake, write_table
from pipelines.run.context import Context
from pipelines.run.engine import run_stages
from pipelines.stages import STAGES
from tests.decontaminate.support import ngrams, words, write_jsonl
from tests.dedup.support import clean_frame, random_words
from tests.support.tables import rows

DEDUP = [stage for stage in STAGES if stage.name == "dedup"]
NGRAM = 13
RANDOM = random.Random(11)
QUESTIONS = [" ".join(random_words(RANDOM, 16)) for _ in range(3)]
TEXTS = [" ".join(random_words(RANDOM, 70)) for _ in range(8)]


def _days() -> list[dict[str, str]]:
    """Each text by its part in the test: who stays over the days, and who has a question in it."""
    asked = [f"{TEXTS[n]} {QUESTIONS[n % 3]}" for n in range(8)]
    return [
        {
            "plain": TEXTS[7],
            "asked": asked[0],
            "asked, then a copy": asked[1],
            "shorter than tuesday's": TEXTS[2],
            "longest, tuesday's asks": TEXTS[3] + " and much longer than what comes on another day" * 4,
        },
        {
            "copy of asked": asked[1],
            "longer and asked": asked[2],
            "shorter and asked": asked[3],
            "new": TEXTS[4],
            "new and asked": asked[5],
        },
        {"near plain": f"{TEXTS[7]} end", "new near asked": f"{asked[5]} end", "last": TEXTS[6]},
    ]


def _run(spark: SparkSession, lake: Lake, texts: dict[str, str], *settings: str) -> dict[str, Any]:
    lake.create()
    write_table(spark, lake, "clean", clean_frame(spark, texts), {})
    config = load(
        None, [f"lake={lake.location}", "dedup.ngram=2", "dedup.bands=40", "dedup.rows=2", *settings]
    )
    run_stages(Context(config, lake, Console()), DEDUP)
    names = ["corpus", "duplicates"]
    names += ["contaminated"] if any("decontaminate" in item for item in settings) else []
    names += ["superseded"] if any("history" in item for item in settings) else []
    return {name: {row["doc_id"]: row for row in rows(lake.location, name)} for name in names}


@pytest.mark.rare
@pytest.mark.slow
def test_batches_without_what_was_superseded_or_found_are_one_run_over_all(
    spark: SparkSession, tmp_path: Path
) -> None:
    questions = write_jsonl(
        tmp_path / "eval.jsonl", [{"id": str(n), "q": q} for n, q in enumerate(QUESTIONS)]
    )
    search = f"decontaminate.sets={json.dumps([questions])}"
    days, everything = _days(), {name: text for day in _days() for name, text in day.items()}
    wanted = {gram for question in QUESTIONS for gram in ngrams(words(question), NGRAM)}
    asked = {name for name, text in everything.items() if wanted & set(ngrams(words(text), NGRAM))}

    def batches(kind: str, *settings: str) -> list[dict[str, Any]]:
        history = tmp_path / f"history-{kind}"
        return [
            _run(spark, Lake.at(tmp_path / f"{kind}-{n}"), day, f"dedup.history={history}", *settings)
            for n, day in enumerate(days)
        ]

    alone, both = batches("alone"), batches("both", search)
    signatures = [
        sorted(
            ({**row, "batch": None} for row in rows(tmp_path / f"history-{kind}", "signatures")),
            key=lambda row: (row["sequence"], row["doc_id"]),
        )
        for kind in ("alone", "both")
    ]
    assert signatures[0] == signatures[1], "what is in the history depends on the search"
    for day, plain, found in zip(days, alone, both, strict=True):
        assert found["duplicates"] == plain["duplicates"]
        assert {(key, row["kept_doc_id"]) for key, row in found["superseded"].items()} == {
            (key, row["kept_doc_id"]) for key, row in plain["superseded"].items()
        }
        contaminated = {row["source_id"] for row in found["contaminated"].values()}
        survivors = {row["source_id"] for row in plain["corpus"].values()}
        assert contaminated == survivors & asked
        kept = {key: row for key, row in plain["corpus"].items() if row["source_id"] not in asked}
        assert found["corpus"] == kept
        assert len(found["corpus"]) + len(found["duplicates"]) + len(contaminated) == len(day)
    assert all(any(tables[name] for tables in both) for name in both[0]), "a table has nothing to show"

    whole = _run(spark, Lake.at(tmp_path / "whole"), everything, search)
    stayed = set().union(*(tables["corpus"] for tables in both))
    superseded = set().union(*(tables["superseded"] for tables in both))
    assert stayed - superseded == whole["corpus"].keys()
