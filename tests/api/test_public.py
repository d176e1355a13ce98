"""The public API: what it has, that it is light, and tables, runs and sequences through it alone."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

import ringlake
from pipelines.lake import Lake, read_arrow, stream_arrow
from tests.conftest import SmallJob
from tests.support.tables import rows

ROOT = Path(__file__).resolve().parents[2]


def test_every_public_name_is_there_and_documented() -> None:
    for name in ringlake.__all__:
        found = getattr(ringlake, name)
        assert inspect.getdoc(found), name
    assert set(ringlake.__all__) <= set(dir(ringlake))
    assert ringlake.__version__


def test_another_name_is_told_with_those_that_are() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'open_lakes'; it has .*open_lake"):
        _ = ringlake.open_lakes


def test_importing_it_loads_neither_spark_nor_torch() -> None:
    heavy = ("pyspark", "torch", "pydantic", "pyarrow")
    program = f"import ringlake, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_table_is_read_with_types_that_pandas_and_others_know(small_lake: Path, tmp_path: Path) -> None:
    lake = ringlake.open_lake(small_lake)
    for name in lake.tables:
        table = lake.table(name)
        assert "view" not in str(table.to_arrow().schema), name
        assert len(table.to_pandas()) == table.num_rows
    # Texts in lists, as of `erasures`, `contaminated` and `batches`, also where rows come in batches.
    kind = pa.struct({"names": pa.list_(pa.string()), "more": pa.map_(pa.string(), pa.binary())})
    own = pa.table({"column": pa.array([{"names": ["a", None], "more": [("k", b"v")]}, None], kind)})
    place = Lake.at(tmp_path)
    place.create()
    write_deltalake(str(tmp_path / "tables" / "own"), own)
    assert read_arrow(place, "own").to_pylist() == own.to_pylist()
    (batch,) = stream_arrow(place, "own")
    assert batch.schema == read_arrow(place, "own").schema
    assert "view" not in str(batch.schema)


def test_a_table_is_pinned_and_read_in_every_form(small_lake: Path, spark: SparkSession) -> None:
    lake = ringlake.open_lake(small_lake)
    assert lake.location == str(small_lake)
    assert lake.tables[:3] == ("sources", "documents", "quarantine")
    table = lake.table("corpus")
    expected = sorted(row["doc_id"] for row in rows(small_lake, "corpus"))
    assert table.num_rows == len(expected)
    assert "text" in table.columns

    assert sorted(table.to_arrow(["doc_id"])["doc_id"].to_pylist()) == expected
    assert sorted(table.to_pandas(["doc_id"])["doc_id"]) == expected
    assert sorted(row["doc_id"] for row in table.to_spark(spark).select("doc_id").collect()) == expected
    batches = list(table.to_batches(["doc_id", "split"], where="split = 'train'"))
    assert {name for batch in batches for name in batch.schema.names} == {"doc_id", "split"}
    given = sorted(value for batch in batches for value in batch.column("doc_id").to_pylist())
    assert given == sorted(row["doc_id"] for row in rows(small_lake, "corpus") if row["split"] == "train")
    assert len(table.to_arrow(limit=3)) == 3


def test_token_ids_are_numbers_in_batches_too(small_lake: Path) -> None:
    table = ringlake.open_lake(small_lake).table("sequences")
    whole = table.to_arrow(["sequence_id", "input_ids"], where="split = 'validation'").sort_by("sequence_id")
    batches = pa.Table.from_batches(
        table.to_batches(["sequence_id", "input_ids"], where="split = 'validation'")
    )
    assert batches.sort_by("sequence_id").to_pylist() == whole.to_pylist()
    assert all(isinstance(value, int) for value in whole["input_ids"][0].as_py())


def test_what_is_not_there_is_said(small_lake: Path, tmp_path: Path) -> None:
    with pytest.raises(ringlake.RinglakeError, match="there is no lake at"):
        ringlake.open_lake(tmp_path)
    lake = ringlake.open_lake(small_lake)
    with pytest.raises(ringlake.RinglakeError, match="mixed"):
        lake.table("mixed")
    with pytest.raises(ringlake.RinglakeError, match="cannot be queried WHERE nonsense"):
        lake.table("corpus").to_arrow(where="nonsense")
    with pytest.raises(ringlake.RinglakeError, match="cannot be queried WHERE nonsense"):
        list(lake.table("corpus").to_batches(where="nonsense"))


def test_runs_are_those_of_the_ledger(small_lake: Path) -> None:
    runs = ringlake.open_lake(small_lake).runs()
    assert [run.stage for run in runs][:3] == ["ingest", "clean", "dedup"]
    for run in runs:
        assert run.state == "succeeded"
        lost = run.rows_rejected + run.rows_quarantined + run.rows_duplicate
        assert run.rows_in == run.rows_out + lost
    assert runs[0].outputs["documents"] == 0


def test_a_job_that_is_done_is_not_run_again(small_job: SmallJob) -> None:
    before = ringlake.open_lake(small_job.lake).runs()
    done = ringlake.run(small_job.run_file, settings={"lake": str(small_job.lake)}, until="pack")
    assert [run.stage for run in done] == ["ingest", "clean", "dedup", "tokenize", "pack"]
    assert done == before[:5]


def test_one_stage_runs_in_the_session_that_is_there(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "texts.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n{"text": " "}\n')
    settings = {"lake": str(tmp_path / "lake"), "ingest.inputs": [str(tmp_path / "texts.jsonl")]}
    (done,) = ringlake.run(settings=settings, stage="ingest")
    assert (done.rows_in, done.rows_out, done.rows_quarantined) == (3, 2, 1)
    assert spark.range(3).count() == 3, "the session is the caller's"
    (again,) = ringlake.run(settings=settings, stage="ingest", force=True)
    assert again.outputs["documents"] == done.outputs["documents"] + 1


def _named_jobs(spark: SparkSession) -> dict[str, set[str]]:
    """Descriptions of the Spark jobs so far, by their group."""
    found: dict[str, set[str]] = {}
    jobs = spark.sparkContext._jsc.sc().statusStore().jobsList(None).iterator()
    while jobs.hasNext():
        job = jobs.next()
        if job.jobGroup().isDefined():
            told = job.description()
            found.setdefault(job.jobGroup().get(), set()).add(told.get() if told.isDefined() else "")
    return found


def test_sparks_page_names_every_job_after_its_stage_and_step(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "texts.jsonl").write_text('{"text": "one two"}\n{"text": "three four"}\n')
    settings = {
        "lake": str(tmp_path / "lake"),
        "ingest.inputs": [str(tmp_path / "texts.jsonl")],
        "clean.profile": "pii-only",
    }
    for stage in ("ingest", "clean", "dedup"):
        ringlake.run(settings=settings, stage=stage)
        told = _named_jobs(spark)[stage]
        # Delta puts what it does for itself in front or behind.
        assert all(f"{stage}: " in name for name in told), told
        assert any(name.startswith(f"{stage}: write ") for name in told), told


def test_wrong_settings_are_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ringlake.ConfigError, match=r"train\.stepz"):
        ringlake.run(settings={"lake": str(tmp_path), "train.stepz": 3})
    with pytest.raises(ringlake.RinglakeError, match="there is no stage 'packs'"):
        ringlake.run(settings={"lake": str(tmp_path)}, stage="packs")
