"""Whether two recipes differ: the interval of the difference over seeds and documents, and what narrows it.

A model's score depends on the recipe, on its seed and on the documents that it is asked. The difference of
two recipes is known as well as both allow. Documents: a paired bootstrap (Efron and Tibshirani, 1993, An
Introduction to the Bootstrap, chapter 8); a document that is drawn is drawn for both recipes and every
seed. Seeds: the few differences, one a seed, are taken as normal, and Student's t with one degree of freedom
less than seeds is drawn, since a bootstrap of three values would be far too sure. The two are independent and
added, as in the interval of Behrens and Fisher (Fisher, 1935, The fiducial argument in statistical
inference), whose coverage is at least what it promises. What varies with both seed and document at once is
counted in both parts, which widens the interval by a little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ringlake.base.seeds import Purpose, derive_seed

Floats = npt.NDArray[np.float64]

DRAWS = 20_000
"""Draws of an interval: its ends move by about a hundredth of its width from one choice of draws to
another."""

POWER = 0.8
"""Probability with which a difference is to be found that is there (Cohen, 1988, Statistical Power Analysis
for the Behavioral Sciences, chapter 2)."""

MOST_SEEDS = 1000
"""Most seeds that are advised."""

_EXPANDED = 10.0
"""Degrees of freedom from which on Student's quantiles are computed by an expansion."""

_CHUNK = 1 << 22
"""Numbers of a block of resampled counts."""


@dataclass(frozen=True)
class Difference:
    """The difference of two recipes: bits per byte of the first less those of the second.

    Attributes:
        mean: The difference; below 0 the first recipe predicts the texts better.
        low: Lower end of its interval.
        high: Upper end.
        by_seed: The difference of the models of each seed.
        seed_variance: Variance of the differences of single seeds.
        document_variance: Variance of the mean over seeds due to the choice of the documents.
    """

    mean: float
    low: float
    high: float
    by_seed: tuple[float, ...]
    seed_variance: float
    document_variance: float

    @property
    def verdict(self) -> int:
        """-1: the first recipe is better, 1: the second one is, 0: they cannot be told apart."""
        if self.low > 0:
            return 1
        return -1 if self.high < 0 else 0


def bits_per_byte(nats: Floats, num_bytes: Floats) -> Floats:
    """Bits for each byte of all documents together.

    Args:
        nats: Of each seed and document, (seeds, documents).
        num_bytes: Of each document, (documents,).

    Returns:
        One value a seed, (seeds,).
    """
    return np.asarray(nats.sum(axis=1) / math.log(2) / num_bytes.sum(), np.float64)


def difference(
    first: Floats, second: Floats, num_bytes: Floats, confidence: float, draws: int = DRAWS
) -> Difference:
    """The difference of two recipes with its interval.

    Args:
        first: Nats of the first recipe's models, (seeds, documents).
        second: Those of the second's, of the same seeds and documents.
        num_bytes: Bytes of each document, (documents,).
        confidence: Probability with which the interval has the true difference, at least.
        draws: Draws of the interval.

    Raises:
        ValueError: The shapes do not fit, or there are fewer than two seeds or documents.
    """
    if first.shape != second.shape or first.shape[1:] != num_bytes.shape:
        raise ValueError(f"scores of shapes {first.shape} and {second.shape} of {num_bytes.shape} documents")
    num_seeds, num_documents = first.shape
    if num_seeds < 2 or num_documents < 2:
        raise ValueError(f"{num_seeds} seeds and {num_documents} documents: an interval needs two of each")
    bits = (first - second) / math.log(2)
    by_seed = bits.sum(axis=1) / num_bytes.sum()
    mean, seed_variance = float(by_seed.mean()), float(by_seed.var(ddof=1))
    generator = np.random.default_rng(derive_seed(int(Purpose.BOOTSTRAP), num_seeds, num_documents))
    documents = _resampled(bits.mean(axis=0), num_bytes, generator, draws) - mean
    documents *= _narrowness(num_bytes, confidence)
    seeds = generator.standard_t(num_seeds - 1, draws) * math.sqrt(seed_variance / num_seeds)
    low, high = np.quantile(mean + documents + seeds, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Difference(
        mean, float(low), float(high), tuple(map(float, by_seed)), seed_variance, float(documents.var())
    )


def _narrowness(num_bytes: Floats, confidence: float) -> float:
    """What a bootstrap of few documents is to be widened by: of n it sees the variance of n - 1, as if known.

    See Hesterberg, 2015, What Teachers Should Know About the Bootstrap, The American Statistician 69(4). Of
    documents of unequal length, n is the number of equal ones whose mean would be as uncertain.
    """
    equal = max(2.0, float(num_bytes.sum() ** 2 / (num_bytes**2).sum()))
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return math.sqrt(equal / (equal - 1)) * _student(z, equal - 1, confidence) / z


def _student(z: float, degrees: float, confidence: float) -> float:
    """The quantile of Student's t where the normal one is z: for some degrees of freedom by its expansion.

    Abramowitz and Stegun, 1964, formula 26.7.5: from 10 degrees on it is right to two thousandths.
    """
    if degrees < _EXPANDED:
        generator = np.random.default_rng(derive_seed(int(Purpose.BOOTSTRAP)))
        return float(np.quantile(np.abs(generator.standard_t(degrees, 10 * DRAWS)), confidence))
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)


def _resampled(bits: Floats, num_bytes: Floats, generator: np.random.Generator, draws: int) -> Floats:
    """Bits per byte of so many choices of as many documents with replacement, (draws,)."""
    count = len(bits)
    found = np.empty(draws)
    rows = max(1, _CHUNK // count)
    for low in range(0, draws, rows):
        part = min(rows, draws - low)
        counts = generator.multinomial(count, np.full(count, 1 / count), size=part)
        found[low : low + part] = (counts @ bits) / (counts @ num_bytes)
    return found


@dataclass(frozen=True)
class Power:
    """What it takes to find a difference.

    Attributes:
        detectable: The least difference in bits per byte that this comparison finds with probability `POWER`.
        seeds: Seeds with which one as large as the measured one is found with that probability; None: none of
            up to `MOST_SEEDS`, since the documents alone leave more doubt.
        token_factor: How many times the tokens would do the same with the seeds at hand; None: as before.
        document_factor: How many times the documents would be needed for it with any number of seeds; 1 where
            there are enough.
    """

    detectable: float
    seeds: int | None
    token_factor: float | None
    document_factor: float


def power(found: Difference, num_seeds: int, confidence: float) -> Power:
    """What it takes to find a difference as large as the measured one, were that the true one.

    Tokens: the variance of a seed is taken to fall as one over the tokens, as that of the mean of independent
    trainings does, and the difference to stay as it is. Both are assumptions; recipes may also grow apart.

    Args:
        found: What was measured.
        num_seeds: Of how many seeds.
        confidence: That of the interval.
    """
    size = abs(found.mean)
    detectable = needed(found.seed_variance, found.document_variance, num_seeds, confidence)
    z = NormalDist().inv_cdf((1 + confidence) / 2) + NormalDist().inv_cdf(POWER)
    most = (size / z) ** 2
    factor = 1.0
    if found.document_variance >= most:
        # Half of the doubt that is allowed is then the documents', and seeds have room for the other half.
        factor = math.inf if size == 0 else 2 * found.document_variance / most
    seeds = next(
        (
            count
            for count in _candidates(num_seeds)
            if needed(found.seed_variance, found.document_variance, count, confidence) <= size
        ),
        None,
    )
    tokens = _token_factor(found, num_seeds, confidence, size)
    return Power(detectable, seeds, tokens, factor)


def needed(seed_variance: float, document_variance: float, num_seeds: int, confidence: float) -> float:
    """The least true difference that is found with probability `POWER`, in bits per byte.

    Args:
        seed_variance: Variance of a single seed's difference.
        document_variance: Variance due to the documents.
        num_seeds: Seeds.
        confidence: That of the interval.
    """
    own = math.sqrt(seed_variance / num_seeds)
    generator = np.random.default_rng(derive_seed(int(Purpose.BOOTSTRAP), num_seeds))
    draws = generator.standard_t(num_seeds - 1, DRAWS) * own
    draws += generator.standard_normal(DRAWS) * math.sqrt(document_variance)
    half = float(np.quantile(np.abs(draws), confidence))
    return half + NormalDist().inv_cdf(POWER) * math.hypot(own, math.sqrt(document_variance))


def _candidates(num_seeds: int) -> list[int]:
    """Numbers of seeds that are tried: all small ones, then ever fewer."""
    found = {num_seeds}
    count = num_seeds
    while count < MOST_SEEDS:
        count += max(1, count // 10)
        found.add(min(count, MOST_SEEDS))
    return sorted(found)


def _token_factor(found: Difference, num_seeds: int, confidence: float, size: float) -> float | None:
    if needed(0.0, found.document_variance, num_seeds, confidence) > size or size == 0:
        return None
    factor = 1.0
    while needed(found.seed_variance / factor, found.document_variance, num_seeds, confidence) > size:
        factor *= 1.1
        if factor > 1e6:
            return None
    return factor
