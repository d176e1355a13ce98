"""`dedup.history` through the run: one commit a batch, nothing twice, the lock, refusals that name values."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf import load
from pipelines.console.console import Console
from pipelines.errors import EnvironmentProblem, InputError, RinglakeError
from pipelines.lake import Catalog, Lake, write_table
from pipelines.run.context import Context
from pipelines.run.engine import run_stages
from pipelines.stages import STAGES
from tests.dedup.support import clean_frame, doc_id
from tests.support.tables import rows

DEDUP = [stage for stage in STAGES if stage.name == "dedup"]


@pytest.mark.rare
def test_batches_are_added_once_and_superseded_says_who_went(spark: SparkSession, tmp_path: Path) -> None:
    history = Lake.at(tmp_path / "history")

    def run(day: str, texts: dict[str, str], *settings: str, force: bool = False) -> Lake:
        lake = Lake.at(tmp_path / day)
        lake.create()
        if not Catalog(lake).exists("clean"):
            write_table(spark, lake, "clean", clean_frame(spark, texts), {})
        overrides = [f"lake={lake.location}", "dedup.method=exact", "dedup.url=true", *settings]
        config = load(None, [f"dedup.history={history.location}", *overrides])
        run_stages(Context(config, lake, Console()), DEDUP, force=force)
        return lake

    monday = run("mon", {"a": "text", "b": "other"})
    assert not rows(monday.location, "superseded")
    later, earlier = sorted(["a", "c"], key=doc_id, reverse=True)
    tuesday = run("tue", {"c": "text", "d": "new"})
    kept = {row["doc_id"] for row in rows(tuesday.location, "corpus")}
    gone = {row["doc_id"] for row in rows(tuesday.location, "superseded")}
    assert kept == {doc_id("d")} | ({doc_id("c")} if earlier == "c" else set())
    assert gone == ({doc_id("a")} if later == "a" else set())
    version = Catalog(history).version("signatures")
    assert version == 1, "a batch is one commit"
    before = rows(history.location, "signatures")
    assert sorted((row["sequence"], row["doc_id"]) for row in before) == sorted(
        [(0, doc_id("a")), (0, doc_id("b")), (1, doc_id("c")), (1, doc_id("d"))]
    )
    run("mon", {}, force=True)
    assert Catalog(history).version("signatures") == version
    assert {row["doc_id"] for row in rows(tuesday.location, "corpus")} == kept
    with pytest.raises(RinglakeError, match=r'"keep": "longest".*"keep": "first"'):
        run("wed", {"e": "text"}, "dedup.keep=first")
    with history.locked(), pytest.raises((EnvironmentProblem, RinglakeError), match="another ringlake"):
        run("wed", {})
    with pytest.raises(InputError, match="is the lake itself"):
        run("wed", {}, f"dedup.history={tmp_path / 'wed'}")
    run("tue", {}, "dedup.history=null")
    assert not rows(tuesday.location, "superseded")
