"""The interval has the true difference as often as it promises, and finds a difference that is there."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipelines.compare.statistics import bits_per_byte, difference, needed, power

CONFIDENCE = 0.95
DRAWS = 1500


def scores(
    generator: np.random.Generator,
    seeds: int,
    documents: int,
    *,
    truth: float = 0.0,
    of_seed: float = 0.0,
    of_document: float = 0.0,
    of_both: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nats of two recipes whose true difference is `truth` bits per byte, and the bytes of the documents.

    Args:
        generator: Where chance comes from.
        seeds: Seeds.
        documents: Documents.
        truth: The difference.
        of_seed: Standard deviation of a seed's difference.
        of_document: That of a document's.
        of_both: That of a document's at a seed.
    """
    sizes = np.round(generator.lognormal(5, 0.8, documents)) + 20
    base = generator.normal(2, 0.3, (1, documents)) + generator.normal(0, 0.2, (seeds, 1))
    gap = (
        truth
        + generator.normal(0, 1, (seeds, 1)) * of_seed
        + generator.normal(0, 1, (1, documents)) * of_document
        + generator.normal(0, 1, (seeds, documents)) * of_both
    )
    nats = math.log(2) * sizes
    return (base + gap) * nats, base * nats, sizes


def misses(repetitions: int, seeds: int, documents: int, **noise: float) -> float:
    """Share of repetitions whose interval lacks the true difference, 0."""
    generator = np.random.default_rng(7)
    missed = 0
    for _ in range(repetitions):
        found = difference(*scores(generator, seeds, documents, **noise), CONFIDENCE, DRAWS)
        missed += found.verdict != 0
    return missed / repetitions


@pytest.mark.parametrize(
    ("seeds", "documents", "noise"),
    [
        (3, 40, {"of_seed": 0.02}),
        (2, 40, {"of_seed": 0.02, "of_both": 0.1}),
        (3, 60, {"of_document": 0.2, "of_both": 0.02}),
        (5, 60, {"of_seed": 0.02, "of_document": 0.15, "of_both": 0.1}),
    ],
    ids=["seeds", "two seeds", "documents", "all"],
)
def test_recipes_that_do_not_differ_are_called_equal_at_the_promised_rate(
    seeds: int, documents: int, noise: dict[str, float]
) -> None:
    repetitions = 600
    # Three standard errors of a share of 600 that is 5%.
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / repetitions)
    assert misses(repetitions, seeds, documents, **noise) <= allowed


def test_the_promise_is_not_kept_by_never_deciding() -> None:
    """Where seeds alone vary the interval is Student's: it misses as often as it may."""
    assert misses(600, 3, 40, of_seed=0.02) > 0.02


def test_a_bootstrap_of_the_seeds_alone_would_break_the_promise() -> None:
    """What the design avoids: three seeds drawn with replacement are far too sure of themselves."""
    generator = np.random.default_rng(7)
    wrong = 0
    for _ in range(400):
        first, second, sizes = scores(generator, 3, 40, of_seed=0.02)
        by_seed = (bits_per_byte(first, sizes) - bits_per_byte(second, sizes))[None, :]
        drawn = by_seed[0, generator.integers(0, 3, (DRAWS, 3))].mean(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        wrong += not low <= 0 <= high
    assert wrong / 400 > 0.15


def test_a_difference_that_is_there_is_found_with_its_sign() -> None:
    generator = np.random.default_rng(1)
    found = difference(*scores(generator, 3, 200, truth=-0.2, of_seed=0.01, of_document=0.1), CONFIDENCE)
    assert found.verdict == -1 and found.high < 0
    assert found.mean == pytest.approx(-0.2, abs=0.05)
    assert found.low < found.mean < found.high


def test_equal_scores_differ_by_exactly_nothing() -> None:
    nats = np.random.default_rng(1).gamma(2, 100, (3, 30))
    found = difference(nats, nats.copy(), np.full(30, 500.0), CONFIDENCE)
    assert (found.mean, found.low, found.high, found.verdict) == (0.0, 0.0, 0.0, 0)


def test_the_score_is_of_all_bytes_together() -> None:
    nats = np.array([[8 * math.log(2), 2 * math.log(2)]])
    assert bits_per_byte(nats, np.array([4.0, 1.0])) == pytest.approx([2.0])


def test_the_verdict_is_the_same_every_time() -> None:
    given = scores(np.random.default_rng(2), 3, 50, of_seed=0.01, of_document=0.1)
    assert difference(*given, CONFIDENCE) == difference(*given, CONFIDENCE)


def test_as_many_seeds_as_are_advised_find_the_difference_with_the_promised_power() -> None:
    variance, truth = 0.02**2, 0.02
    generator = np.random.default_rng(3)
    measured = difference(*scores(generator, 3, 60, truth=truth, of_seed=0.02), CONFIDENCE)
    asked = power(type(measured)(truth, -1, 1, (), variance, measured.document_variance), 3, CONFIDENCE)
    assert asked.seeds is not None and 8 <= asked.seeds <= 14
    found = 0
    for _ in range(300):
        given = scores(generator, asked.seeds, 60, truth=truth, of_seed=0.02)
        found += difference(*given, CONFIDENCE, DRAWS).verdict == 1
    assert 0.72 <= found / 300 <= 0.93


def test_more_seeds_do_not_help_where_the_documents_are_too_few() -> None:
    generator = np.random.default_rng(4)
    found = difference(*scores(generator, 3, 20, of_document=0.5, of_seed=0.001), CONFIDENCE)
    advised = power(found, 3, CONFIDENCE)
    assert advised.seeds is None and advised.token_factor is None
    assert advised.document_factor > 1
    assert advised.detectable > abs(found.mean)


def test_what_is_detectable_falls_with_seeds() -> None:
    values = [needed(0.02**2, 0.001**2, count, CONFIDENCE) for count in (2, 3, 5, 10, 100)]
    assert values == sorted(values, reverse=True)


def test_one_seed_or_one_document_has_no_interval() -> None:
    one = np.ones((1, 5))
    with pytest.raises(ValueError, match="two of each"):
        difference(one, one, np.ones(5), CONFIDENCE)
