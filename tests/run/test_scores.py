"""What evaluation says where there is nothing to divide by."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.bindings.scores import described, perplexity, ratio


def scores(key: str, values: tuple[Any, Any, Any]) -> dict[str, Any]:
    return {who: {key: value} for who, value in zip(("model", "unigram", "bigram"), values, strict=True)}


def test_a_mean_over_nothing_is_none() -> None:
    assert ratio(3.0, 2) == 1.5
    assert ratio(0.0, 0) is None
    assert ratio(1.0, 0.0) is None, "a bigram that is certain of all has 0 nats"
    assert ratio(float("nan"), 2) is None


@pytest.mark.parametrize("loss", [None, float("nan"), float("inf"), 710.0])
def test_aperplexity_that_no_float_holds_is_none(loss: float | None) -> None:
    assert perplexity(loss) is None
    json.dumps(perplexity(loss), allow_nan=False)


def test_the_line_says_what_there_is() -> None:
    counts = {"targets": 9, "bytes": 20, "sequences": 3, "below_bigram": 0.25}
    whole = counts | scores("bits_per_byte", (1.5, 3.0, 2.0))
    assert described(whole) == (
        "bits per byte: model 1.500, unigram 3.000, bigram 2.000; 25.0% below the bigram"
    )
    special = counts | {"bytes": 0, "below_bigram": None} | scores("loss", (1.5, 3.0, None))
    assert described(special) == "nats per target: model 1.500, unigram 3.000, bigram no number"
    assert described(counts | {"targets": 0}) == (
        "nothing to score: the 3 validation sequences have no target"
    )
