"""The stage through real launches: kill -9 and resume, ranks by slots, what does not fit."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from ringlake.base.storage import Folder
from tests.support.ranks import ranks_of_this_process
from tests.training.place import Place
from tests.training.tables import random_tokens, write_sequences
from tests.training.tiny import make_config, make_job, make_snapshots, make_tokenizer
from training.data import footers
from training.data.layout import read_layout
from training.errors import DataError, NotEnoughSlotsError, RankFailedError
from training.logs.metrics import read_metrics
from training.loop import train_rank
from training.start import choose_ranks, over_tasks


@pytest.fixture
def place(tmp_path: Path) -> Place:
    tokenizer = make_tokenizer(tmp_path / "tokenizer")
    return Place(tmp_path, tokenizer, *make_snapshots(tmp_path / "sequences", tokenizer))


CHECKPOINTS = (4, 8, 10, 12, 16)
"""Steps behind which the small job leaves a checkpoint, the last one apart."""


def killer_at_step_7(place: Place) -> Callable[[str], None]:
    """Takes lines of progress, and kills a rank, once, when the first tells of step 7.

    The ranks go on until the signal arrives: on a busy machine they are some steps further by then.
    """
    found: list[int] = []
    killed: list[int] = []

    def take(line: str) -> None:
        place.lines.append(line)
        if line.startswith("train: step") and not found:
            # Looking through the machine's processes takes as long as some steps.
            found.append(ranks_of_this_process()[1].pid)
        if line.startswith("train: step 7/") and not killed:
            killed.append(found[0])
            os.kill(killed[0], signal.SIGKILL)

    return take


def test_kill_9_in_the_middle_then_the_same_call_ends_like_an_undisturbed_one(
    spark: SparkSession, place: Place
) -> None:
    with pytest.raises(RankFailedError, match=r"^rank \d of 2 on host \S+ failed: .*SIGKILL"):
        place.run(spark, make_config(num_ranks=2), killer_at_step_7(place))
    assert ranks_of_this_process() == []
    checkpoints = place.folder / "checkpoints"
    last = max(int(folder.name.removeprefix("step-")) for folder in checkpoints.glob("step-*[0-9]"))
    assert last in CHECKPOINTS
    assert not (place.folder / "model").exists()

    result = place.run(spark, make_config(num_ranks=2))
    assert result.resumed_from == last
    assert result.sequences_used == result.sequences_planned == 150
    assert any(f"checkpoint of step {result.resumed_from}" in line for line in place.lines)

    undisturbed = make_job(place.folder / "undisturbed")
    train_rank(undisturbed)
    found, wanted = (
        read_metrics(Folder(str(folder))) for folder in (checkpoints, undisturbed.checkpoint_dir)
    )
    assert [line["step"] for line in found] == list(range(1, 21))
    assert [line["ids_hash"] for line in found] == [line["ids_hash"] for line in wanted]
    assert [line["loss"] for line in found] == pytest.approx([line["loss"] for line in wanted], rel=1e-4)


def test_a_restart_goes_on_from_the_last_checkpoint_and_uses_every_sequence_once(
    spark: SparkSession, place: Place
) -> None:
    result = place.run(spark, make_config(num_ranks=2, max_restarts=1), killer_at_step_7(place))
    assert result.resumed_from in CHECKPOINTS
    assert result.sequences_used == result.sequences_planned == 150
    assert result.num_ranks == 2
    told = [line for line in place.lines if line.endswith("restart 1 of 1")]
    assert len(told) == 1
    assert "SIGKILL" in told[0]

    undisturbed = make_job(place.folder / "undisturbed")
    train_rank(undisturbed)
    found, wanted = (
        read_metrics(Folder(str(folder)))
        for folder in (place.folder / "checkpoints", undisturbed.checkpoint_dir)
    )
    assert [line["ids_hash"] for line in found] == [line["ids_hash"] for line in wanted]


def test_elastic_training_takes_the_ranks_that_have_slots_and_divide_the_shards(
    spark: SparkSession, place: Place
) -> None:
    config = make_config(steps=2, warmup_steps=0, canonical_shards=2, elastic={"min": 1, "max": 4})
    assert place.run(spark, config).num_ranks == 2
    assert "on 4 ranks (as slots allow, 1 to 4)" in place.lines[0]
    with pytest.raises(NotEnoughSlotsError, match=r"2 slots left.*train.elastic needs at least 4"):
        replace(place, folder=place.folder / "anew").run(spark, make_config(elastic={"min": 3, "max": 4}))


def test_auto_takes_two_ranks_or_says_why_there_is_one(spark: SparkSession) -> None:
    lines: list[str] = []
    assert choose_ranks(spark, make_config(), lines.append) == 2
    assert choose_ranks(spark, make_config(canonical_shards=1), lines.append) == 1
    assert choose_ranks(spark, make_config(num_ranks=4), lines.append) == 4
    assert lines == []


def test_an_explicit_number_is_strict(spark: SparkSession, place: Place) -> None:
    with pytest.raises(NotEnoughSlotsError, match=r"num_ranks = 4, but local\[2\] has 2 slots"):
        place.run(spark, make_config(num_ranks=4))


def test_what_does_not_fit_is_refused_before_anything_starts(spark: SparkSession, place: Place) -> None:
    with pytest.raises(DataError, match=r"num_ranks = 2 .*canonical_shards = 1"):
        place.run(spark, make_config(canonical_shards=1, num_ranks=2))
    with pytest.raises(DataError, match=r"global_batch_size = 6 .*canonical_shards = 4"):
        place.run(spark, make_config(global_batch_size=6))
    other = replace(place.validation, tokenizer_hash="f" * 64)
    with pytest.raises(DataError, match=r"tokenizer_hash \w+, but the validation sequences of .* ffff"):
        replace(place, validation=other).run(spark, make_config())
    with pytest.raises(DataError, match=r"no 'validation' sequences"):
        replace(place, validation=replace(place.validation, files=())).run(spark, make_config())


def test_a_checkpoint_of_another_training_is_refused_with_both_values(
    spark: SparkSession, place: Place
) -> None:
    place.run(spark, make_config(steps=1, warmup_steps=0, num_ranks=1))
    with pytest.raises(DataError, match=r"train.learning_rate: 0.01 there, 0.02 here"):
        place.run(spark, make_config(steps=1, warmup_steps=0, num_ranks=1, learning_rate=0.02))


def test_tasks_of_spark_read_footers_as_this_process_does(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = write_sequences(tmp_path / "t", random_tokens(150, 8, 64))
    alone = read_layout(snapshot)
    monkeypatch.setattr(footers, "FEW_FILES", 0)
    monkeypatch.setattr(footers, "FILES_OF_TASK", 2)
    spread_out = read_layout(snapshot, over_tasks(spark))
    assert spread_out.slices(0, 150) == alone.slices(0, 150)
    assert spread_out.fingerprint == alone.fingerprint
    Path(snapshot.files[1].path).write_bytes(b"PAR1 this is not a table")
    with pytest.raises(DataError, match=rf"{snapshot.table} version 0: {snapshot.files[1].path} cannot"):
        read_layout(snapshot, over_tasks(spark))
