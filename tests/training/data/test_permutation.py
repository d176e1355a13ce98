"""The permutation is a bijection, depends on its key and mixes like a random one."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ringlake.base.permutation import MAX_SIZE, Permutation, whole_orders
from ringlake.base.seeds import derive_seed, derive_seeds

SEEDS = st.integers(0, 2**80)


@given(n=st.integers(1, 3000), seed=SEEDS)
@example(n=1, seed=0)
@example(n=2, seed=0)
@example(n=3, seed=5)
@example(n=1024, seed=7)
@example(n=1025, seed=7)
def test_every_value_is_hit_exactly_once(n: int, seed: int) -> None:
    image = Permutation(n, seed)(np.arange(n))
    assert image.dtype == np.int64
    assert sorted(image.tolist()) == list(range(n))


@given(n=st.integers(1, MAX_SIZE), seed=SEEDS, data=st.data())
def test_each_position_is_evaluated_on_its_own(n: int, seed: int, data: st.DataObject) -> None:
    positions = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=20, unique=True))
    together = Permutation(n, seed)(np.array(positions)).tolist()
    alone = [int(Permutation(n, seed)(np.array(position))) for position in positions]
    assert together == alone
    assert all(0 <= value < n for value in together)
    assert len(set(together)) == len(positions)


@given(n=st.integers(1, MAX_SIZE), seed=SEEDS, data=st.data())
@example(n=1, seed=0, data=None)
def test_an_image_tells_its_position(n: int, seed: int, data: st.DataObject | None) -> None:
    position = 0 if data is None else data.draw(st.integers(0, n - 1))
    shuffle = Permutation(n, seed)
    assert shuffle.place(int(shuffle(np.array(position)))) == position
    for outside in (-1, n):
        with pytest.raises(ValueError, match=f"not be {outside}"):
            shuffle.place(outside)


@given(n=st.integers(1, 300), seeds=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5))
def test_several_at_once_are_those_one_by_one(n: int, seeds: list[int]) -> None:
    together = whole_orders(n, np.array(seeds, np.uint64))
    assert derive_seeds(2**70, 5, last=seeds).tolist() == [derive_seed(2**70, 5, seed) for seed in seeds]
    assert together.tolist() == [Permutation(n, seed)(np.arange(n)).tolist() for seed in seeds]


def test_values_are_fixed_for_ever() -> None:
    """Checkpoints and tables rely on them: a changed constant would change every sample plan."""
    assert Permutation(10, 1)(np.arange(10)).tolist() == [9, 1, 2, 0, 6, 3, 7, 8, 5, 4]
    assert Permutation(10**9, 42)(np.array([0, 1, 10**9 - 1])).tolist() == [195951031, 947594039, 692656479]
    assert derive_seed(1, 2, 3) == 2711551329624082386


def test_neighbouring_seeds_give_unrelated_orders() -> None:
    orders = np.array([Permutation(1000, seed)(np.arange(1000)) for seed in range(50)])
    equal = (orders[:, None, :] == orders[None, :, :]).sum(axis=2)[np.triu_indices(50, 1)]
    # Two random permutations agree in Poisson(1) places: the mean of 1225 pairs lies within 6 sigma of 1.
    assert abs(equal.mean() - 1) < 6 / np.sqrt(len(equal))


@pytest.mark.parametrize("n", [4, 5, 6, 7, 12])
def test_every_place_is_equally_likely_over_seeds(n: int) -> None:
    rounds = 1500
    counts = np.zeros((n, n))
    for seed in range(rounds):
        counts[np.arange(n), Permutation(n, seed)(np.arange(n))] += 1
    expected = rounds / n
    freedom = (n - 1) ** 2
    # Rows and columns of a permutation matrix both sum to one, hence the factor (n-1)/n; the statistic
    # has mean k and variance 2k, and six sigma (plus the heavier tail of small k) never fail by chance.
    chi_square = (n - 1) / n * ((counts - expected) ** 2 / expected).sum()
    assert chi_square < freedom + 6 * np.sqrt(2 * freedom) + 10


def test_neighbours_are_torn_apart() -> None:
    n = 100_000
    image = Permutation(n, 3)(np.arange(n))
    correlation = np.corrcoef(image[:-1], image[1:])[0, 1]
    assert abs(correlation) < 6 / np.sqrt(n)


def test_memory_does_not_grow_with_n() -> None:
    positions = np.arange(1000) * 10**9
    tracemalloc.start()
    Permutation(10**12, 1)(positions)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(("n", "positions"), [(0, [0]), (-3, [0]), (MAX_SIZE + 1, [0]), (5, [5]), (5, [-1])])
def test_what_is_out_of_range_is_refused_with_its_value(n: int, positions: list[int]) -> None:
    with pytest.raises(ValueError, match=str(n)):
        Permutation(n, 1)(np.array(positions))


def test_order_and_size_of_seed_parts_matter() -> None:
    seeds = {derive_seed(1, 2), derive_seed(2, 1), derive_seed(1), derive_seed(1, 0), derive_seed(2**64 + 1)}
    assert len(seeds) == 5
    with pytest.raises(ValueError, match="-1"):
        derive_seed(-1)
