"""Every number of the configuration has bounds, and a default fits what a user changes beside it."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from conf import ConfigError, RunConfig, load


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[type[BaseModel], str, Any]]:
    """Each section's class, the place of a key and its type; items of lists have the place of the list."""
    for name, field in model.model_fields.items():
        yield model, f"{prefix}{name}", field.annotation
        for kind in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from sections(kind, f"{prefix}{name}.")


def numbers() -> list[tuple[type[BaseModel], str, bool]]:
    """Class, place and whether it is whole, of each key that takes a number."""
    found = []
    for model, place, kind in sections(RunConfig):
        kinds = {kind, *typing.get_args(kind)} if isinstance(kind, types.UnionType) else {kind}
        kinds |= {typing.get_args(each)[0] for each in typing.get_args(kind) if hasattr(each, "__metadata__")}
        if kinds & {int, float}:
            found.append((model, place, int in kinds))
    return found


NUMBERS = numbers()


def test_the_walk_finds_the_numbers() -> None:
    places = {place for _, place, _ in NUMBERS}
    assert len(places) > 60
    assert {"train.threads_per_rank", "train.strategy.ring.cycle_ms", "spark.shuffle_partitions"} <= places


@pytest.mark.parametrize(("model", "place"), [(m, p) for m, p, _ in NUMBERS], ids=[p for _, p, _ in NUMBERS])
@pytest.mark.parametrize("value", [-3, float("nan"), float("inf"), float("-inf"), True, 10**30])
def test_no_number_takes_what_makes_no_sense(model: type[BaseModel], place: str, value: Any) -> None:
    key = place.rpartition(".")[2]
    # Only this key's own complaints count: sections that need others are not complete here.
    with pytest.raises(ValueError, match=rf"(?m)^{key}\b") as caught:
        model.model_validate({key: value})
    text = str(caught.value)
    assert f"{key}" in text


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "train.threads_per_rank=-3",
            r"train.threads_per_rank = -3: .*greater than or equal to 1, or .*'auto'",
        ),
        ("train.threads_per_rank=0", "train.threads_per_rank = 0: "),
        ("train.num_ranks=0", "train.num_ranks = 0: "),
        ("train.num_ranks=few", "train.num_ranks = 'few': .*'auto'"),
        ("train.steps=yes", "train.steps = True: this key takes a number"),
        ("train.clip_norm=.nan", "train.clip_norm = nan: .*finite"),
        ("train.ports=[9000, 8000]", "the first is above the last"),
        ("train.ports=[0, 80]", r"train.ports.0 = 0: "),
        ("spark.shuffle_partitions=0", "spark.shuffle_partitions = 0: "),
        ("spark.driver_memory=0g", "spark.driver_memory = '0g'"),
        ("model.config.initializer_range=.nan", "config.initializer_range = nan is no finite number"),
        ("generate.temperature=1e-30", "temperature = 1e-30 is below 0.001.* set it to 0"),
    ],
)
def test_a_number_out_of_bounds_is_named_in_plain_words(override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load(None, [override])
    assert not any(word in str(caught.value) for word in ("Undefined", "constrained", "literal"))


def test_zero_means_never_where_there_is_an_interval() -> None:
    train = load(None, ["train.validate_every=0", "train.checkpoint_every=0", "train.log_every=0"]).train
    assert (train.validate_every, train.checkpoint_every, train.log_every) == (0, 0, 0)
    for key in ("patience=2", "plateau.patience=2", "export=best"):
        with pytest.raises(ConfigError, match=f"validate_every = 0 never validates, and {key.split('=')[0]}"):
            load(None, ["train.validate_every=0", f"train.{key}"])


@pytest.mark.parametrize(("rate", "least"), [("1e-4", 1e-5), ("3e-3", 3e-4), ("0.02", 2e-3)])
def test_the_rate_never_rises_after_the_warm_up(rate: str, least: float) -> None:
    assert load(None, [f"train.learning_rate={rate}"]).train.min_learning_rate == least
    with pytest.raises(ConfigError, match=r"min_learning_rate = 1 is more than learning_rate = .* go up"):
        load(None, [f"train.learning_rate={rate}", "train.min_learning_rate=1"])
    assert load(None, [f"train.learning_rate={rate}", "train.min_learning_rate=1", "train.schedule=constant"])


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (5, 0), (10, 1), (100, 10), (200, 20), (400, 20)])
def test_a_short_training_reaches_its_highest_rate(steps: int, warmup: int) -> None:
    assert load(None, [f"train.steps={steps}"]).train.warmup_steps == warmup
    assert load(None, [f"train.steps={steps}", "train.warmup_steps=7"]).train.warmup_steps == 7


@pytest.mark.parametrize(("shards", "size"), [(1, 32), (4, 32), (6, 30), (12, 24), (48, 48)])
def test_the_default_batch_is_whole_in_any_number_of_shards(shards: int, size: int) -> None:
    assert load(None, [f"train.canonical_shards={shards}"]).train.global_batch_size == size


@pytest.mark.parametrize("key", ["validate_every", "checkpoint_every"])
def test_an_interval_ends_no_round_of_local_steps_early(key: str) -> None:
    """Refused and not adapted: a default that goes by another section would be hard to foresee."""
    local = ["train.strategy.name=local_sgd", "train.strategy.local_sgd.local_steps=30"]
    both = {"train.validate_every": 60, "train.checkpoint_every": 90}
    assert load(None, local + [f"{name}={value}" for name, value in both.items()])
    with pytest.raises(
        ConfigError, match=rf"{key} = 100 is not a multiple .* = 30;.* set {key} to a multiple"
    ):
        load(None, local + [f"{name}={v}" for name, v in both.items() if name != f"train.{key}"])
