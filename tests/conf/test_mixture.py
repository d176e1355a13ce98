"""A mixture's weights are exact ratios; what cannot be one is refused with its values."""

from __future__ import annotations

from fractions import Fraction
from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf import ConfigError, load
from conf.mixture import MAX_CYCLE, MixedLake, MixtureConfig


def mixture(*weights: float) -> MixtureConfig:
    lakes = tuple(
        MixedLake(lake=f"lake-{number}", weight=weight) for number, weight in enumerate(weights[1:])
    )
    return MixtureConfig(weight=weights[0], lakes=lakes)


@pytest.mark.parametrize(
    ("weights", "ratio"),
    [
        ((1.0,), (1,)),
        ((1.0, 2.0), (1, 2)),
        ((0.7, 0.2, 0.1), (7, 2, 1)),
        ((0.5, 1.25), (2, 5)),
        ((1e-3, 1), (1, 1000)),
        ((30, 70), (3, 7)),
    ],
)
def test_weights_are_taken_at_their_word(weights: tuple[float, ...], ratio: tuple[int, ...]) -> None:
    assert mixture(*weights).ratio() == ratio


@given(st.lists(st.integers(1, 999), min_size=1, max_size=6))
def test_a_ratio_is_in_lowest_terms_and_proportional(thousandths: list[int]) -> None:
    ratio = mixture(*(number / 1000 for number in thousandths)).ratio()
    assert gcd(*ratio) == 1
    shares = [Fraction(part, sum(ratio)) for part in ratio]
    assert shares == [Fraction(number, sum(thousandths)) for number in thousandths]


def test_without_other_lakes_there_is_one_table() -> None:
    assert load(None).train.mixture.ratio() == (1,)


def test_a_run_file_and_an_override_name_lakes() -> None:
    config = load(None, ["train.mixture={weight: 3, lakes: [{lake: ../code/lake, weight: 1, version: 4}]}"])
    assert config.train.mixture.lakes == (MixedLake(lake="../code/lake", weight=1, version=4),)
    assert config.train.mixture.ratio() == (3, 1)
    config = load(None, ["train.mixture.lakes=[{lake: a}, {lake: b, weight: 0.5}]"])
    assert config.train.mixture.ratio() == (2, 2, 1)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("{lakes: [{lake: a, weight: 0}]}", r"mixture.lakes.0.weight = 0: .*greater than 0"),
        ("{lakes: [{lake: a, weight: .inf}]}", r"mixture.lakes.0.weight = inf: .*finite"),
        ("{weight: -1}", r"mixture.weight = -1: .*greater than 0"),
        ("{lakes: [{weight: 2}]}", r"mixture.lakes.0.lake.*required"),
        ("{lakes: [{lake: a}, {lake: a, weight: 2}]}", r"the lake 'a' is named twice; .*sum of its weights"),
        (
            "{lakes: [{lake: a, wieght: 2}]}",
            r"did you mean train.mixture.lakes.0.weight\? allowed here: lake, since, v",
        ),
        ("{lakes: [{lake: a, version: -1}]}", r"mixture.lakes.0.version = -1"),
        (
            "{weight: 1, lakes: [{lake: a, weight: 3.14159}]}",
            rf"weights 1, 3.14159 are 100000:314159 .*414159, more than {MAX_CYCLE}; round them",
        ),
    ],
)
def test_what_is_no_mixture_is_refused_with_key_and_value(override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load(None, [f"train.mixture={override}"])
