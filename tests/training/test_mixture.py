"""A mixture through the real stage: two ranks train as one, tables are accounted for, misfits are refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from conf.train import TrainConfig
from ringlake.base.storage import Folder
from tests.training.place import Place
from tests.training.tables import random_tokens, write_sequences
from tests.training.tiny import (
    NUM_TRAIN,
    make_config,
    make_job,
    make_mixed,
    make_snapshots,
    make_tokenizer,
)
from training.data.layout import read_layout
from training.errors import DataError, TrainingError
from training.logs.metrics import combine_hashes, hash_ids, read_metrics
from training.loop import train_rank
from training.sources import open_sources

SIZES = ((40, 7), (23, 8))
MIXTURE = {"weight": 2, "lakes": [{"lake": "a", "weight": 1}, {"lake": "b", "weight": 1}]}


def config_of(mixture: dict[str, Any] = MIXTURE, **changes: Any) -> TrainConfig:
    return make_config(mixture=mixture, **changes)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("mixture")
    tokenizer = make_tokenizer(folder / "tokenizer")
    mixed = [make_mixed(folder / f"mixed-{size}", tokenizer, size, seed) for size, seed in SIZES]
    return Place(folder, tokenizer, *make_snapshots(folder / "sequences", tokenizer), mixed)


def test_two_ranks_train_as_one_and_every_table_is_accounted_for(
    spark: SparkSession, place: Place, tmp_path: Path
) -> None:
    result = place.run(spark, config_of(num_ranks=2))
    assert result.sequences_used == result.sequences_planned == 160
    assert [table.sequences for table in result.tables] == [80, 40, 40]
    assert [table.passes for table in result.tables] == [80 / NUM_TRAIN, 1, 40 / 23]
    assert [table.table for table in result.tables] == [
        place.train.table,
        *(one.table for one in place.mixed),
    ]
    assert any("50.0% of each batch from" in line and "75 sequences" in line for line in place.lines)

    job = make_job(tmp_path, config_of(), mixed=SIZES)
    train_rank(job)
    alone = read_metrics(Folder(job.checkpoint_dir))
    found = read_metrics(Folder(str(place.folder / "checkpoints")))
    for name in ("step", "ids_hash", "tokens", "planned_by_table"):
        assert [line[name] for line in found] == [line[name] for line in alone], name
    assert [line["loss"] for line in found] == pytest.approx([line["loss"] for line in alone], rel=1e-4)

    for line in found:
        ids = np.concatenate(job.plan.batch(line["step"] - 1))
        assert line["ids_hash"] == combine_hashes(hash_ids(ids))
        assert line["planned_by_table"] == [len(own) for own in job.plan.by_table(ids)]

    # The checkpoint belongs to these tables, versions, contents and weights; told on the driver.
    heavier = {"weight": 3, "lakes": MIXTURE["lakes"]}
    with pytest.raises(DataError, match=r"plan.ratio: \[2, 1, 1\] there, \[3, 1, 1\] here"):
        place.run(spark, config_of(heavier, num_ranks=2))
    newer = replace(place, mixed=[place.mixed[0], replace(place.mixed[1], version=3)])
    with pytest.raises(DataError, match=r"mixture.2.version: 0 there, 3 here"):
        newer.run(spark, config_of(num_ranks=2))
    other = make_mixed(tmp_path / "other", place.tokenizer, 23, seed=9)
    changed = replace(place, mixed=[place.mixed[0], replace(other, table=place.mixed[1].table)])
    with pytest.raises(DataError, match=r"mixture.2.content: '\w+' there, '\w+' here"):
        changed.run(spark, config_of(num_ranks=2))
    with pytest.raises(DataError, match=r"mixture.1.table: .* there, None here"):
        replace(place, mixed=[]).run(spark, make_config(num_ranks=2))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tokenizer_hash": "f" * 64}, r"have tokenizer_hash \w{64}, but .* version 0 f{64}; all tables"),
        ({"sequence_length": 32}, r"have sequence_length 16, but .* 32; all tables"),
        ({"vocab_size": 299}, r"have vocab_size 300, but .* 299; all tables"),
        ({"files": ()}, "has no 'train' sequences"),
    ],
)
def test_tables_that_do_not_go_together_are_refused_with_both_values(
    place: Place, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        open_sources(config_of(), place.train, [place.mixed[0], replace(place.mixed[1], **change)])


def test_a_lake_that_is_there_twice_by_another_name_is_refused(place: Place, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(place.train.table, target_is_directory=True)
    again = replace(place.train, table=f"{link}{os.sep}")
    with pytest.raises(DataError, match=r"twice .*change its weight"):
        open_sources(config_of(), place.train, [place.mixed[0], again])
    with pytest.raises(DataError, match="names 2 lakes, but the sequences of 1"):
        open_sources(config_of(), place.train, place.mixed[:1])


def test_what_was_added_to_a_table_is_a_part_of_a_mixture_by_itself(tmp_path: Path) -> None:
    """Old and new sequences of one table in a stated proportion, each read at its own ids."""
    whole = write_sequences(tmp_path / "table", random_tokens(100, 16, 64), version=5)
    files = sorted(whole.files, key=lambda file: file.path, reverse=True)  # of 64 and of 36 rows
    old = replace(whole, files=tuple(files[:1]), version=2)
    new = replace(whole, files=tuple(files[1:]), since=2, first_id=64)
    mixture = {"version": 2, "weight": 3, "lakes": [{"lake": "l", "since": 2, "weight": 1}]}
    sources = open_sources(config_of(mixture), old, [new])
    assert [layout.num_sequences for layout in map(read_layout, (old, new, whole))] == [64, 36, 100]
    assert sources.identity["mixture.1.since"] == 2
    assert sources.plan.count_by_table(40) == (30 * 8, 10 * 8)
    # The id of the joined tables is that of the one table, and each row group is met at the id in its file.
    slices = sources.layout.slices(0, 100)
    assert [part.first_id for part in slices] == [0, 16, 32, 48, 64, 80, 96]
    assert slices == read_layout(whole).slices(0, 100)
    (part,) = read_layout(new).slices(3, 5)
    assert (part.first_id, part.start, part.end) == (67, 3, 5)
    with pytest.raises(DataError, match=r"twice .*versions 0 to 5 and 3 to 5"):
        open_sources(config_of(mixture), whole, [new])


def test_a_bad_step_names_the_sequences_of_each_table(tmp_path: Path) -> None:
    config = config_of(learning_rate=1e38, min_learning_rate=1e38, clip_norm=1e30)
    job = make_job(tmp_path, config, mixed=SIZES)
    with pytest.raises(TrainingError) as caught:
        train_rank(job)
    for number in (1, 2):
        assert f" of {tmp_path / f'mixed-{number}'}" in str(caught.value)
