"""The baselines equal the textbook formulas computed directly on the same tokens."""

import math
import random
from collections import Counter

import pytest
from pyspark.sql import SparkSession

from pipelines.evaluate.baselines import Baseline, baselines
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


def score(
    spark: SparkSession, train: list[tuple[list[int], int]], held_out: list[tuple[list[int], int]]
) -> list[Baseline]:
    rows = [("train", *row) for row in as_stored(train)]
    rows += [("validation", *row) for row in as_stored(held_out)]
    return baselines(spark.createDataFrame(rows, "split string, input_ids binary, num_tokens int"), VOCAB)


def test_a_bigram_knows_more_than_a_unigram_on_a_chain(spark: SparkSession) -> None:
    chain = [(list(range(9)), 9)] * 20
    unigram, bigram = score(spark, chain, chain)
    # Each of 8 pairs occurs 20 times, none once: what is taken off a count is 0.75, and goes to all tokens.
    seen = (20 - 0.75) / 20 + 0.75 / 20 * (1 + 1) / (8 + VOCAB)
    assert bigram.nats == pytest.approx(-160 * math.log(seen))
    assert unigram.nats > 100


def test_what_was_never_seen_has_a_probability_where_no_pair_occurs_once(spark: SparkSession) -> None:
    """Not even one target may be dropped by the logarithm of 0."""
    chain = [(list(range(9)), 9)] * 20
    new = [([8, 7, 6, 0, 0, 11, 0, 1, 2], 9)]
    unigram, bigram = score(spark, chain, new)
    assert unigram.targets == bigram.targets == 8
    backoff = 0.75 / 20
    # 7 and 0 have 1 and 0 histories of 8 pairs, ...; 8 and 11 precede nothing in training.
    wanted = [2 / 20, backoff * 2 / 20, backoff * 1 / 20, backoff * 1 / 20, backoff * 1 / 20, 1 / 20]
    wanted += [19.25 / 20 + backoff * 2 / 20] * 2
    assert bigram.nats == pytest.approx(-sum(map(math.log, wanted)))


def test_pairs_that_all_occur_once_or_not_at_all(spark: SparkSession) -> None:
    once = [([0, 1, 2, 3, 4, 5, 6, 7, 8], 9)]
    _, bigram = score(spark, once, [([0, 1, 0, 5, 8, 8, 8, 8, 8], 5)])
    # The estimate of the discount is 1: only where a token has been counts, 1 time of 8 or never.
    assert bigram.nats == pytest.approx(-(2 * math.log(2 / 20) + math.log(1 / 20) + math.log(2 / 20)))


def test_a_split_without_targets_is_scored_on_none(spark: SparkSession) -> None:
    for found in score(spark, [([1, 2, 3], 3)], [([4, 0, 0], 1)]):
        assert (found.nats, found.targets) == (0.0, 0)
    for found in score(spark, [([4, 0, 0], 1)], [([1, 2, 3], 3)]):
        assert found.nats == pytest.approx(2 * math.log(VOCAB)), "nothing was seen: all tokens are alike"
