"""`ringlake.Sequences`: each sequence once an epoch, on any number of ranks, and on from any state."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

import ringlake
from tests.support.tables import rows

BATCH, SHARDS = 8, 4


def opened(lake: Path, **more: Any) -> ringlake.Sequences:
    return ringlake.Sequences(lake, BATCH, **{"shards": SHARDS, "seed": 5, "epochs": 1} | more)


def ids(batches: Any) -> list[list[int]]:
    return [batch["sequence_ids"].tolist() for batch in batches]


def test_an_epoch_has_every_sequence_once_as_it_is_stored(small_lake: Path) -> None:
    stored = {row["sequence_id"]: row for row in rows(small_lake, "sequences") if row["split"] == "train"}
    dataset = opened(small_lake)
    assert dataset.num_sequences == len(stored)
    batches = list(dataset)
    assert len(batches) == dataset.steps_per_epoch
    assert sorted(itertools.chain.from_iterable(ids(batches))) == sorted(stored)
    for batch in batches:
        assert batch["input_ids"].dtype == torch.int64
        assert batch["input_ids"].shape[1] == dataset.sequence_length
        assert int(batch["input_ids"].max()) < dataset.vocab_size
        for number, length in zip(batch["sequence_ids"].tolist(), batch["num_tokens"].tolist(), strict=True):
            assert length == stored[number]["num_tokens"]
    assert [int(batch["step"]) for batch in batches] == list(range(dataset.steps_per_epoch))


@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_together_see_the_batches_of_one(small_lake: Path, world_size: int) -> None:
    alone = ids(opened(small_lake))
    ranks = [ids(opened(small_lake, rank=rank, world_size=world_size)) for rank in range(world_size)]
    for step, whole in enumerate(alone):
        assert sorted(itertools.chain.from_iterable(rank[step] for rank in ranks)) == sorted(whole)


def test_a_state_goes_on_after_the_last_batch_on_another_number_of_ranks(small_lake: Path) -> None:
    whole = ids(opened(small_lake, epochs=2))
    taken = opened(small_lake, epochs=2)
    first = list(itertools.islice(taken, 5))
    state = json.loads(json.dumps(taken.state_dict()))
    assert taken.step == 5

    parts = []
    for rank in range(2):
        rest = opened(small_lake, epochs=2, rank=rank, world_size=2)
        rest.load_state_dict(state)
        parts.append(ids(rest))
    joined = [sorted(one + two) for one, two in zip(*parts, strict=True)]
    assert [sorted(batch) for batch in ids(first)] + joined == [sorted(batch) for batch in whole]


def test_iterating_again_goes_on_and_epochs_differ(small_lake: Path) -> None:
    dataset = opened(small_lake, epochs=None)
    epoch = dataset.steps_per_epoch
    first = ids(itertools.islice(dataset, epoch))
    second = ids(itertools.islice(dataset, epoch))
    assert first != second
    assert sorted(itertools.chain.from_iterable(first)) == sorted(itertools.chain.from_iterable(second))


def test_a_state_of_another_order_is_refused(small_lake: Path) -> None:
    state = opened(small_lake).state_dict()
    with pytest.raises(ringlake.TrainingError, match="seed 5 there, 6 here"):
        opened(small_lake, seed=6).load_state_dict(state)
    with pytest.raises(ringlake.TrainingError, match="a state of Sequences has"):
        opened(small_lake).load_state_dict({"step": 3})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shards": 3}, "batch_size = 8 is no multiple of shards = 3"),
        ({"world_size": 3}, "shards = 4 is no multiple of world_size = 3"),
        ({"rank": 4, "world_size": 4}, "rank = 4 is none of 0 to 3"),
        ({"epochs": -1}, "epochs = -1"),
    ],
)
def test_numbers_that_do_not_fit_are_told_by_their_own_names(
    small_lake: Path, wrong: dict[str, int], message: str
) -> None:
    with pytest.raises(ringlake.TrainingError, match=message):
        opened(small_lake, **wrong)


def test_a_loader_may_have_one_worker(small_lake: Path) -> None:
    loader = DataLoader(opened(small_lake), batch_size=None, num_workers=1)
    assert ids(loader) == ids(opened(small_lake))
    with pytest.raises(ringlake.TrainingError, match="num_workers = 2"):
        list(DataLoader(opened(small_lake), batch_size=None, num_workers=2))
