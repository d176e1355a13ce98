"""The baselines equal the textbook formulas computed directly on the same tokens."""

import math
import random
from collections import Counter

import pytest
from pyspark.sql import SparkSession

from pipelines.evaluate.baselines import baselines
from tests.support.token_ids import stored

VOCAB = 12


def _sequences(seed: int, count: int) -> list[tuple[list[int], int]]:
    random_ = random.Random(seed)
    # Skewed, so that some pairs are frequent, some are rare and some validation pairs are new.
    rows = [([min(int(random_.expovariate(0.5)), VOCAB - 1) for _ in range(9)], 9) for _ in range(count)]
    rows[-1] = (rows[-1][0], 4)
    return rows


def as_stored(rows: list[tuple[list[int], int]]) -> list[tuple[bytearray, int]]:
    return [(stored(ids), real) for ids, real in rows]


def _pairs(rows: list[tuple[list[int], int]]) -> list[tuple[int, int]]:
    return [(ids[i - 1], ids[i]) for ids, real in rows for i in range(1, real)]


def _unigram(train: list[tuple[int, int]], held_out: list[tuple[int, int]]) -> float:
    counts = Counter(token for _, token in train)
    return -sum(math.log((counts[token] + 1) / (len(train) + VOCAB)) for _, token in held_out)


def _kneser_ney(train: list[tuple[int, int]], held_out: list[tuple[int, int]]) -> float:
    pairs = Counter(train)
    context = Counter(previous for previous, _ in train)
    once, twice = list(pairs.values()).count(1), list(pairs.values()).count(2)
    discount = once / (once + 2 * twice)
    total = 0.0
    for previous, token in held_out:
        histories = sum(1 for pair in pairs if pair[1] == token)
        continuation = (histories + 1) / (len(pairs) + VOCAB)
        if context[previous] == 0:
            total -= math.log(continuation)
            continue
        followers = sum(1 for pair in pairs if pair[0] == previous)
        seen = max(pairs[previous, token] - discount, 0) / context[previous]
        total -= math.log(seen + discount * followers / context[previous] * continuation)
    return total


def test_both_equal_a_direct_computation(spark: SparkSession) -> None:
    train, held_out = _sequences(1, 40), _sequences(2, 15)
    held_out[0] = ([11, 0, 11, 11, 10, 9, 11, 8, 10], 9)
    rows = [("train", *row) for row in as_stored(train)] + [
        ("validation", *row) for row in as_stored(held_out)
    ]
    frame = spark.createDataFrame(rows, "split string, input_ids binary, num_tokens int").repartition(3)
    unigram, bigram = baselines(frame, VOCAB)
    expected = _pairs(held_out)
    assert unigram.targets == bigram.targets == len(expected) == 14 * 8 + 3
    assert unigram.nats == pytest.approx(_unigram(_pairs(train), expected), rel=1e-12)
    assert bigram.nats == pytest.approx(_kneser_ney(_pairs(train), expected), rel=1e-12)


def test_a_bigram_knows_more_than_a_unigram_on_a_chain(spark: SparkSession) -> None:
    chain = [(list(range(9)), 9)] * 20
    rows = [(split, *row) for split in ("train", "validation") for row in as_stored(chain)]
    unigram, bigram = baselines(
        spark.createDataFrame(rows, "split string, input_ids binary, num_tokens int"), VOCAB
    )
    # Every pair occurs 20 times, none once: no discount, so the chain is certain.
    assert bigram.nats == pytest.approx(0, abs=1e-9)
    assert unigram.nats > 100
