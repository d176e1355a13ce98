"""Reports of lakes that are not finished, were made otherwise, or have changed since."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from conf import RunConfig
from pipelines.lake import Lake
from pipelines.lake.paths import write_json
from pipelines.report.build import build_report
from pipelines.stages import STAGES
from tests.report import lakes
from tests.report.page import Page


def report(spark: SparkSession, lake: Lake, config: RunConfig = lakes.CONFIG) -> Page:
    build_report(spark, lake, config, run_file="run.yaml", overrides=())
    return Page(lake.report.read_text())


def test_after_ingest_alone_it_says_what_has_not_run(spark: SparkSession, tmp_path: Path) -> None:
    page = report(spark, lakes.ingested(tmp_path))
    assert page.by_id["tile-in"] == "40"
    assert page.by_id["tile-kept"] == page.by_id["tile-tokens"] == page.by_id["tile-bpb"] == "–"
    every = [stage.name for stage in STAGES if stage.is_reported and not stage.is_optional]
    missing = ", ".join(stage for stage in every if stage != "ingest")
    assert f"Not run on this lake yet: {missing}." in page.text
    for section, stage in (("rejected", "clean"), ("duplicates", "dedup"), ("training", "train")):
        assert f"Stage {stage} has not run on this lake yet" in page.by_id[section]
    assert "213 quarantined" in page.by_id["way"]


def test_an_empty_lake_gets_a_report_too(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake.at(tmp_path)
    lake.create()
    page = report(spark, lake)
    assert "Nothing has run on this lake yet." in page.text
    assert page.by_id["tile-in"] == "–"


def test_tables_without_rows_are_no_obstacle(spark: SparkSession, tmp_path: Path) -> None:
    lake = lakes.ingested(tmp_path)
    for name in ("documents", "quarantine", "clean", "rejected"):
        lakes.put(lake, name, [])
    page = report(spark, lake)
    assert page.by_id["tile-in"] == "0"
    assert "Every file and record could be read." in page.by_id["quarantine"]
    assert "No quality rule turned a document away; 0 were judged." in page.by_id["rejected"]


def test_survivors_of_earlier_batches_that_went_are_told_of(spark: SparkSession, tmp_path: Path) -> None:
    lake = lakes.packed(tmp_path)
    assert "earlier batches" not in report(spark, lake).by_id["duplicates"]
    gone = {
        "doc_id": "0" * 32,
        "source": "a.jsonl",
        "batch": "monday",
        "kept_doc_id": "1" * 32,
        "num_bytes": 9,
    }
    lakes.put(lake, "superseded", [gone, gone | {"doc_id": "2" * 32}])
    removed = report(spark, lake).by_id["duplicates"]
    assert "2 documents that earlier batches of the history kept do not stay any more" in removed
    assert "superseded --limit 0" in removed
    lakes.put(lake, "duplicates", [])
    nothing = report(spark, lake).by_id["duplicates"]
    assert "2 documents that earlier batches" in nothing
    assert "No document has (nearly) the same content" in nothing


def test_it_says_what_is_out_of_date_and_what_failed(spark: SparkSession, tmp_path: Path) -> None:
    lake = lakes.ingested(tmp_path)
    lakes.put(lake, "clean", [])
    lakes.put(lake, "rejected", [])
    lakes.record(lake, "clean", 1, inputs={"documents": 0}, outputs={"clean": 0, "rejected": 0})
    lakes.put(lake, "documents", lakes.documents()[:5])
    lakes.record(lake, "ingest", 2, state="failed", error=f"disk full {lakes.SCRIPT}")
    lakes.record(lake, "dedup", 3, state="failed", error="no such column")
    page = report(spark, lake)
    assert page.by_id["tile-in"] == "5"
    accounts = page.by_id["accounts"]
    assert "clean is out of date: it read documents version 0, which is at version 1 now." in accounts
    assert f"A later run of ingest failed: disk full {lakes.SCRIPT}" in accounts
    assert "Stage dedup has failed: no such column" in page.text


def test_stages_with_settings_of_their_own_are_not_passed_off_as_the_run_file(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake = lakes.ingested(tmp_path)
    page = report(spark, lake, RunConfig(name="other"))
    again = page.by_id["again"]
    assert "Stages of this lake were run with settings of their own" in again
    assert "ringlake run run.yaml\n" in again
    assert "--set" not in again
    assert "inputs:\n  - a.jsonl" in again


def test_a_validation_split_without_a_target_is_said(spark: SparkSession, tmp_path: Path) -> None:
    lake = lakes.trained(tmp_path)
    none = {"loss": None, "bits_per_byte": None}
    scores = {"model": none | {"perplexity": None}, "unigram": none, "bigram": none}
    write_json(lake.evaluation, {"targets": 0, "bytes": 0, "below_bigram": None, **scores})
    metrics = Path(lake.checkpoints.child("key").location) / "metrics.jsonl"
    metrics.write_text("".join(f'{{"step": {step}, "loss": null}}\n' for step in (1, 2)))
    page = report(spark, lake)
    assert "The validation split has no token to predict" in page.by_id["nothing-to-score"]
    assert page.by_id["tile-bpb"] == "–"
