"""A table that is no longer what packing wrote is refused before training, with both versions; real Delta."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.run import RunConfig
from pipelines.console.console import Console
from pipelines.errors import InputError
from pipelines.lake import Catalog, Lake, write_table
from pipelines.run.carry_out import carry_out
from pipelines.run.context import Context
from pipelines.run.prepare import prepare
from pipelines.run.snapshots import take_snapshot
from pipelines.stages import BY_NAME
from schemas.sequences import SEQUENCES
from tests.support.token_ids import stored
from tests.training.tables import random_tokens
from tests.training.test_resume import Crash, crash_at
from tests.training.tiny import (
    LENGTH,
    MODEL,
    NUM_TRAIN,
    NUM_VALIDATION,
    VOCAB_SIZE,
    make_config,
    make_tokenizer,
)
from training.checkpoints.identity import check_interrupted
from training.data.layout import read_layout
from training.data.plan import SamplePlan
from training.data.reader import SequenceReader
from training.data.schedule import training_schedule
from training.data.snapshot import DataFile
from training.errors import DataError
from training.job import TrainJob, settings_identity
from training.loop import train_rank
from training.sources import open_sources

NOTED = {"sequence_length": LENGTH, "vocab_size": VOCAB_SIZE, "tokenizer_hash": "0" * 64, "token_bytes": 2}


def write_sequences(spark: SparkSession, lake: Lake, tokenizer_hash: str, num_train: int = NUM_TRAIN) -> int:
    """The table as packing writes it, with what packing notes; returns the version."""
    columns: dict[str, list[Any]] = {name: [] for name in SEQUENCES.column_names}
    for split, count in (("train", num_train), ("validation", NUM_VALIDATION)):
        for number, row in enumerate(random_tokens(count, LENGTH, VOCAB_SIZE)):
            segment = {"doc_id": "d", "start": 0, "end": LENGTH, "doc_start": 0}
            for name, value in zip(
                columns, (split, number, bytes(stored(row)), LENGTH, [segment]), strict=True
            ):
                columns[name].append(value)
    frame = spark.createDataFrame(pa.table(columns, schema=SEQUENCES.arrow_schema())).coalesce(1)
    made = {**NOTED, "tokenizer_hash": tokenizer_hash}
    settings = {"spark.sql.maxConcurrentOutputFileWriters": "2"}
    return write_table(
        spark, lake, "sequences", frame.sort("split", "sequence_id"), {"stage": "pack", **made}, settings
    )


def rewrite(frame: DataFrame, lake: Lake, noted: dict[str, Any]) -> None:
    """Replaces the table as another program could, with notes as packing leaves them."""
    writer = frame.coalesce(1).write.format("delta").mode("overwrite").partitionBy("split")
    options = {"overwriteSchema": "true", "userMetadata": json.dumps(noted)}
    writer.options(**options).save(lake.table("sequences"))


@pytest.fixture(scope="module")
def packed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake.at(tmp_path_factory.mktemp("packed") / "lake")
    lake.create()
    tokenizers = lake.tokenizers.local_path
    tokenizer = make_tokenizer(tokenizers / "draft")
    digest = sha256((tokenizer / "tokenizer.json").read_bytes()).hexdigest()
    tokenizer.rename(tokenizers / digest[:16])
    assert write_sequences(spark, lake, digest) == 0
    return lake


@pytest.fixture
def lake(packed: Lake, tmp_path: Path) -> Lake:
    shutil.copytree(packed.root.local_path, tmp_path / "lake")
    return Lake.at(tmp_path / "lake")


def sql(spark: SparkSession, lake: Lake, statement: str) -> None:
    spark.sql(statement.format(f"delta.`{lake.table('sequences')}`")).collect()


def test_deletion_vectors_are_refused_with_both_versions(spark: SparkSession, lake: Lake) -> None:
    before = take_snapshot(lake, "train")
    sql(spark, lake, "ALTER TABLE {} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    # The rows are still as packing left them.
    assert take_snapshot(lake, "train") == before
    assert before.version == 0
    sql(spark, lake, "DELETE FROM {} WHERE split = 'train' AND sequence_id = 3")
    with pytest.raises(
        InputError,
        match=r"deletion vectors on 1 files at version 2, .*version 0 is what packing wrote\. Pack",
    ):
        take_snapshot(lake, "train")
    assert take_snapshot(lake, "train", 0) == before


def test_a_table_that_shrank_or_changed_is_refused_until_it_is_restored(
    spark: SparkSession, lake: Lake
) -> None:
    before = take_snapshot(lake, "train")
    sql(spark, lake, "DELETE FROM {} WHERE split = 'train' AND sequence_id >= 70")
    with pytest.raises(
        InputError,
        match=r"version 0 is what packing wrote \(96 rows\), version 1 is a DELETE \(91 rows\).*pack the",
    ):
        take_snapshot(lake, "train")
    sql(spark, lake, "UPDATE {} SET num_tokens = 5 WHERE sequence_id = 1")
    with pytest.raises(InputError, match=r"version 2 is a UPDATE \(91 rows\)"):
        take_snapshot(lake, "validation")
    sql(spark, lake, "DELETE FROM {}")
    with pytest.raises(InputError, match=r"what packing wrote \(96 rows\), version 3 is a DELETE \(0 rows\)"):
        take_snapshot(lake, "train")
    sql(spark, lake, "RESTORE TABLE {} TO VERSION AS OF 0")
    assert take_snapshot(lake, "train") == before

    # The files of an old version may be gone for good.
    Path(before.files[0].path).unlink()
    with pytest.raises(DataError, match=rf"{lake.table('sequences')} version 0: .*part-.* cannot be read"):
        read_layout(before)


def test_a_table_that_packing_never_wrote_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    lake = Lake.at(tmp_path / "lake")
    spark.range(3).selectExpr(
        "'train' split", "id sequence_id", "array(1L, 2L) input_ids", "2 num_tokens", "array() segments"
    ).drop("segments").write.format("delta").partitionBy("split").save(lake.table("sequences"))
    with pytest.raises(
        InputError, match="no version that packing wrote, up to version 0; pack the tokens again"
    ):
        take_snapshot(lake, "train")


def test_other_token_types_are_refused_with_version_and_both_types(spark: SparkSession, lake: Lake) -> None:
    """A table that another release of ringlake might have packed: it says it is packed, but has longs."""
    path = lake.table("sequences")
    wide = spark.read.format("delta").load(path)
    wide = wide.withColumn("input_ids", F.array(F.lit(1), F.lit(2)).cast("array<bigint>"))
    noted = {"stage": "pack", **NOTED, "tokenizer_hash": take_snapshot(lake, "train").tokenizer_hash}
    rewrite(wide, lake, noted)
    with pytest.raises(
        DataError, match=rf"{path} version 1: .*'input_ids' must be binary, but is list<.*int64>"
    ):
        open_sources(make_config(), take_snapshot(lake, "train"), [])


def test_an_interrupted_training_does_not_start_anew_on_another_version(
    spark: SparkSession, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither on a table that was packed again, shorter, nor on one that was made anew as version 0."""
    config = make_config()
    first = take_snapshot(lake, "train")
    sources = open_sources(config, first, [])
    job = TrainJob(
        model=MODEL,
        config=config,
        plan=sources.plan,
        train=sources.layout,
        validation=read_layout(take_snapshot(lake, "validation")),
        vocab_size=VOCAB_SIZE,
        tokenizer_dir=lake.tokenizers.child(first.tokenizer_hash[:16]).location,
        checkpoint_dir=lake.checkpoints.child("interrupted").location,
        model_dir=lake.model.location,
        source=sources.identity,
    )
    with monkeypatch.context() as patch:
        crash_at(6, patch)
        with pytest.raises(Crash):
            train_rank(job)

    assert write_sequences(spark, lake, first.tokenizer_hash, num_train=60) == 1
    context = Context(RunConfig(lake=lake.location, model=MODEL, train=config), lake, Console(), _spark=spark)
    with pytest.raises(
        DataError,
        match=rf"interrupted at step 4 of 20, .*: {lake.table('sequences')} was at version 0, now it is at "
        r"version 1\. .*delete that folder",
    ):
        carry_out(prepare(context, BY_NAME["train"]).given)
    # Neither a finished training nor other settings are in the way of a new one.
    wanted = settings_identity(MODEL, config) | {"table": first.table, "version": 1}
    folder = lake.checkpoints.child("interrupted")
    with pytest.raises(DataError, match="interrupted at step 4"):
        check_interrupted(folder, wanted, 20)
    check_interrupted(folder, wanted, 4)
    check_interrupted(folder, wanted | {"train.learning_rate": 0.5}, 20)

    # The same version number with other rows, as after a table was deleted and made anew.
    shorter = open_sources(config, replace(take_snapshot(lake, "train"), version=0), [])
    with pytest.raises(
        DataError,
        match=r"content: '\w+' there, '\w+' here; .*plan.num_sequences: 75 there, 60 here",
    ):
        train_rank(replace(job, plan=shorter.plan, train=shorter.layout, source=shorter.identity))


def test_a_table_that_is_replaced_while_it_is_read_is_read_to_its_end(
    spark: SparkSession, lake: Lake
) -> None:
    """The files of the pinned version stay; those of the new version are not looked at."""
    snapshot = take_snapshot(lake, "train")
    layout = read_layout(snapshot)
    plan = SamplePlan(layout.num_sequences, 1, 8, 4, 5)
    with SequenceReader(layout, training_schedule(plan, 0, 1, 0, 30), VOCAB_SIZE) as reader:
        read = [next(reader)]
        assert write_sequences(spark, lake, snapshot.tokenizer_hash, num_train=20) == 1
        read += list(reader)
    tokens = random_tokens(NUM_TRAIN, LENGTH, VOCAB_SIZE)
    assert [batch.step for batch in read] == list(range(30))
    for batch in read:
        assert batch.sequence_ids.tolist() == np.concatenate(plan.batch(batch.step)).tolist()
        assert np.array_equal(batch.input_ids, tokens[batch.sequence_ids])


def test_notes_of_other_writers_do_not_disturb_and_missing_ones_are_named(
    spark: SparkSession, lake: Lake
) -> None:
    note = "spark.databricks.delta.commitInfo.userMetadata"
    spark.conf.set(note, "{ not JSON")
    try:
        sql(spark, lake, "ALTER TABLE {} SET TBLPROPERTIES ('remark' = 'by hand')")
    finally:
        spark.conf.unset(note)
    assert Catalog(lake).version("sequences") == 1
    assert take_snapshot(lake, "train").version == 0
    assert Catalog(lake).info("sequences").metadata == {}
    frame = spark.read.format("delta").option("versionAsOf", 0).load(lake.table("sequences"))
    rewrite(frame.limit(0), lake, {"stage": "pack", **NOTED})
    with pytest.raises(InputError, match=r"version 2\) of the lake .* has no rows"):
        take_snapshot(lake, "train")
    rewrite(frame, lake, {"stage": "pack", "vocab_size": "many"})
    with pytest.raises(
        InputError, match=r"version 3 .*not say its sequence_length, vocab_size, tokenizer_hash, token_bytes"
    ):
        take_snapshot(lake, "train")


def test_files_that_were_changed_behind_the_tables_back_are_refused(lake: Lake) -> None:
    snapshot = take_snapshot(lake, "train")
    files = tuple(DataFile(file.path, file.num_rows - 1) for file in snapshot.files)
    with pytest.raises(DataError, match=r"version 0: .*holds 75 rows, but the table's log says 74"):
        read_layout(replace(snapshot, files=files))
