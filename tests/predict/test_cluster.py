"""Spark: the rows that one process gives, once each, whatever was killed before."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

import ringlake as api
from conf import load
from pipelines.console.console import Console
from pipelines.errors import InputError, RinglakeError
from pipelines.lake.predictions import commit_part, parts_of
from pipelines.predict import cluster
from pipelines.predict.cluster import predict_on_cluster
from pipelines.predict.local import predict_locally
from pipelines.predict.request import request
from tests.inference.tiny import TEXTS
from tests.support.cli import command, ringlake
from tests.support.ended import end_when


def table_of(folder: Path, num_rows: int) -> Path:
    texts: Sequence[str | None] = [
        None if number % 7 == 6 else f"{TEXTS[number % len(TEXTS)]} {number}" for number in range(num_rows)
    ]
    write_deltalake(str(folder), pa.table({"id": list(range(num_rows)), "text": texts}))
    return folder


def predictions(folder: Path) -> dict[Any, tuple[Any, ...]]:
    """Prediction and reason by id; every id once."""
    rows = DeltaTable(str(folder)).to_pyarrow_table().to_pylist()
    found = {row["id"]: (row["prediction"], row["reason"]) for row in rows}
    assert len(found) == len(rows)
    return found


def on_cluster(models: dict[str, Path], source: str | Path, target: Path, **more: Any) -> str:
    shown = io.StringIO()
    wanted = request("classify", str(models["classify"]))
    predict_on_cluster(wanted, str(source), str(target), load(), Console(shown), **more)
    return shown.getvalue()


def test_the_cluster_gives_what_one_process_gives_and_goes_on_where_it_stopped(
    spark: SparkSession, models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = table_of(tmp_path / "in", 60), tmp_path / "out"

    def stops(location: str, frame: Any, attempt: str, number: int, noted: Any) -> None:
        if number == 2:
            raise RuntimeError("the machine is gone")
        commit_part(location, frame, attempt, number, noted)

    monkeypatch.setattr(cluster, "commit_part", stops)
    with pytest.raises(RinglakeError, match="the machine is gone"):
        on_cluster(models, source, target, part_rows=15)
    assert [part.noted["part"] for part in parts_of(str(target))] == [1, 0]
    before = DeltaTable(str(target)).version()
    monkeypatch.setattr(cluster, "commit_part", commit_part)
    shown = on_cluster(models, source, target, part_rows=15)
    assert "going on with part 3 of 4" in shown and "60 rows, 52 predicted, 8 refused (missing 8)" in shown
    assert DeltaTable(str(target)).version() == before + 2

    wanted = request("classify", str(models["classify"]))
    predict_locally(wanted, str(source), str(tmp_path / "local"), Console(io.StringIO()), force=False)
    assert predictions(target) == predictions(tmp_path / "local")

    assert "up to date" in on_cluster(models, source, target)
    assert DeltaTable(str(target)).version() == before + 2
    # Another version of the input is another input.
    write_deltalake(str(source), pa.table({"id": [60], "text": ["fox"]}), mode="append")
    assert "61 rows" in on_cluster(models, source, target)
    assert set(predictions(target)) == set(range(61))
    noted = parts_of(str(target))[0].noted
    assert (noted["input_version"], noted["model"], noted["rows"]) == (1, wanted.identity, 61)


def test_a_part_that_is_there_is_not_written_again(
    spark: SparkSession, models: dict[str, Path], tmp_path: Path
) -> None:
    """Two runs that go on at once: the log takes the part of one of them."""
    source, target = table_of(tmp_path / "in", 8), tmp_path / "out"
    on_cluster(models, source, target)
    (part,) = parts_of(str(target))
    frame = spark.read.format("delta").load(str(target))
    commit_part(str(target), frame, part.noted["attempt"], 0, part.noted)
    assert len(predictions(target)) == 8


def test_files_of_lines_are_read_as_one_process_reads_them(
    spark: SparkSession, models: dict[str, Path], tmp_path: Path
) -> None:
    for number in range(3):
        rows = [{"id": f"{number}/{row}", "text": TEXTS[row]} for row in range(5)]
        lines = [json.dumps(row) for row in rows] + ["", "  ", f'{{"id": "broken {number}"']
        (tmp_path / f"rows{number}.jsonl").write_text("\r\n".join(lines) + "\n")
    (tmp_path / "other.jsonl").write_text("{}\n")
    shown = on_cluster(models, tmp_path / "rows*.jsonl", tmp_path / "out")
    assert "18 rows, 15 predicted, 3 refused (bad_json 3)" in shown
    table = DeltaTable(str(tmp_path / "out")).to_pyarrow_table().to_pylist()
    found = {row["id"]: row["prediction"] for row in table if row["reason"] is None}
    wanted = request("classify", str(models["classify"]))
    for number in range(3):
        one, out = tmp_path / f"rows{number}.jsonl", tmp_path / "one.jsonl"
        predict_locally(wanted, str(one), str(out), Console(io.StringIO()), force=False)
        for line in out.read_text().splitlines():
            row = json.loads(line)
            assert "error" in row or found.pop(row["id"]) == row["prediction"]
    assert not found
    assert "up to date" in on_cluster(models, tmp_path / "rows*.jsonl", tmp_path / "out")


def test_accounts_go_to_the_lake_of_the_output(
    spark: SparkSession, models: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "lake" / "tables").mkdir(parents=True)
    source = table_of(tmp_path / "in", 8)
    on_cluster(models, source, tmp_path / "lake" / "tables" / "labels")
    lake = api.open_lake(tmp_path / "lake")
    (run,) = lake.runs()
    assert (run.stage, run.rows_in, run.rows_out, run.rows_quarantined) == ("predict", 8, 7, 1)
    assert (run.inputs, run.outputs, run.details["verb"]) == ({"in": 0}, {"labels": 0}, "classify")
    assert lake.table("labels").num_rows == 8


def test_a_dataframe_gets_the_columns_of_its_predictions(
    spark: SparkSession, models: dict[str, Path], tmp_path: Path
) -> None:
    frame = spark.createDataFrame([(1, "fox", 2.5), (2, None, 3.5)], "id int, text string, weight double")
    rows = api.predict(frame, models["classify"], verb="classify").orderBy("id").collect()
    assert rows[0].asDict().keys() == {"id", "text", "weight", "prediction", "score", "reason", "detail"}
    assert rows[0]["prediction"] in ("bad", "good", "odd") and rows[0]["weight"] == 2.5
    assert rows[1]["prediction"] is None and rows[1]["reason"] == "missing"
    chats = spark.createDataFrame(
        [([{"role": "user", "content": "fox"}],)], "messages array<struct<role: string, content: string>>"
    )
    written = api.predict(chats, models["chat"], verb="generate", temperature=0, max_new_tokens=4)
    (row,) = written.collect()
    assert isinstance(row["prediction"], str)
    with pytest.raises(InputError, match="no column text"):
        api.predict(chats, models["classify"], verb="classify")
    with pytest.raises(InputError, match="column 'score' already"):
        api.predict(frame.withColumnRenamed("weight", "score"), models["classify"], verb="classify")


def test_a_worker_opens_the_model_once(spark: SparkSession, models: dict[str, Path], tmp_path: Path) -> None:
    frame = spark.range(40, numPartitions=8).selectExpr("id", "'fox' AS text")
    api.predict(frame, models["classify"], verb="classify").collect()

    def opened(batches: Any) -> Any:
        import os

        from training.inference.opening import shared_predictor

        for _ in batches:
            info = shared_predictor.cache_info()
            yield pa.RecordBatch.from_pydict(
                {"process": [os.getpid()], "misses": [info.misses], "hits": [info.hits]}
            )

    api.predict(frame, models["classify"], verb="classify").collect()
    found = frame.mapInArrow(opened, "process long, misses long, hits long").collect()
    used = {row["process"]: row for row in found if row["misses"] + row["hits"]}
    assert used and sum(row["hits"] for row in used.values()) > 0
    assert all(row["misses"] <= 6 for row in used.values())


def test_what_cannot_be_written_is_told(spark: SparkSession, models: dict[str, Path], tmp_path: Path) -> None:
    source = table_of(tmp_path / "in", 8)
    with pytest.raises(InputError, match="writes a Delta table"):
        on_cluster(models, source, tmp_path / "out.jsonl")
    with pytest.raises(InputError, match="there is no such file"):
        on_cluster(models, tmp_path / "no*.jsonl", tmp_path / "out")
    write_deltalake(str(tmp_path / "theirs"), pa.table({"a": [1]}))
    with pytest.raises(InputError, match="no prediction has made"):
        on_cluster(models, source, tmp_path / "theirs")


@pytest.mark.rare
@pytest.mark.slow
def test_killed_between_two_parts_the_same_command_loses_and_doubles_nothing(
    models: dict[str, Path], tmp_path: Path
) -> None:
    source, target = table_of(tmp_path / "in", 140), tmp_path / "out"
    args: list[str | Path] = ["classify", models["classify"], "--input", source]
    args += ["--output", target, "--cluster"]
    more = ["--set", "spark.master=local[2]", "--set", "spark.driver_memory=1g", "--part-rows", "35"]
    log = target / "_delta_log" / "00000000000000000001.json"
    end_when(command(*args, *more), tmp_path / "log", "part 2", signal.SIGKILL, log.exists)
    done = ringlake(*args, *more)
    assert "going on with part" in done.stderr
    assert "140 rows, 120 predicted, 20 refused (missing 20)" in done.stderr
    assert set(predictions(target)) == set(range(140))
    assert "up to date" in ringlake(*args, *more).stderr
