"""A keyed permutation of 0..n-1 in O(1) memory: the source of every shuffle, global or per epoch.

A generalised Feistel network on a grid a x b that just covers n (Black and Rogaway, "Ciphers with
Arbitrary Finite Domains", CT-RSA 2002, section 5), with cycle-walking back into the range (section 3).
It is evaluated for any positions on its own, so no shuffled list of a billion ids is ever held.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

import numpy as np
import numpy.typing as npt

_Words = npt.NDArray[np.uint64]

MAX_SIZE = 2**62
"""Largest n: keeps every intermediate value inside 64 bits."""

NUM_ROUNDS = 8
"""Feistel rounds, an even number. Four give a strong pseudo-random permutation (Luby and Rackoff, 1988);
twice as many keep tiny domains, where a round mixes few bits, close to uniform."""

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


def derive_seed(*parts: int) -> int:
    """A 64-bit seed from integers such as (seed, epoch, block): equal parts give equal seeds.

    The finaliser is splitmix64's (Steele, Lea and Flood, OOPSLA 2014), chained over the parts, so that
    neighbouring values give unrelated seeds and the order of the parts matters.
    """
    return _chain(len(parts), parts)


def _chain(state: int, parts: Sequence[int]) -> int:
    for part in parts:
        if part < 0:
            raise ValueError(f"a seed is made of integers >= 0, not {part}")
        num_words = max(1, -(-part.bit_length() // 64))
        for index in range(num_words):
            word = (part >> 64 * index) & _MASK
            state = _finalise(((state + _GOLDEN) & _MASK) ^ word)
    return state


class Permutation:
    """A bijection of 0..n-1, a pure function of (n, seed).

    Args:
        n: Size of the range, 1 to 2**62.
        seed: Any integer >= 0; mix several into one with `derive_seed`.

    Raises:
        ValueError: n or seed is out of range.

    Example:
        >>> sorted(Permutation(5, seed=1)(np.arange(5)).tolist())
        [0, 1, 2, 3, 4]
    """

    def __init__(self, n: int, seed: int) -> None:
        if not 1 <= n <= MAX_SIZE:
            raise ValueError(f"a permutation needs 1 <= n <= 2**62, not n = {n}")
        self.n = int(n)
        self.seed = int(seed)
        self._keys = derive_seeds(self.seed, self.n, last=range(NUM_ROUNDS))[:, None]

    def __call__(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Where each position goes.

        Args:
            positions: Integers in [0, n), any shape.

        Returns:
            Their images, int64, the same shape.

        Raises:
            ValueError: A position is outside of [0, n).
        """
        given = np.asarray(positions, dtype=np.int64)
        if given.size and (int(given.min()) < 0 or int(given.max()) >= self.n):
            raise ValueError(
                f"positions must lie in [0, {self.n}), not in [{int(given.min())}, {int(given.max())}]"
            )
        return _walk(self.n, given.astype(np.uint64).reshape(1, -1), self._keys).reshape(given.shape)


def derive_seeds(*parts: int, last: Sequence[int]) -> _Words:
    """`derive_seed(*parts, each)` for each of `last`, integers of 64 bits; uint64 (last,)."""
    return _fold(_words(_chain(len(parts) + 1, parts)), _words(*last))


def whole_orders(n: int, seeds: _Words) -> npt.NDArray[np.int64]:
    """Several permutations of 0..n-1 at once, which takes little longer than one where n is small.

    Args:
        n: Size of the range, 1 to 2**62; all of it is computed.
        seeds: One for each permutation, uint64.

    Returns:
        int64 (seeds, n): each row is what `Permutation(n, seed)` makes of 0..n-1.
    """
    # derive_seed(seed, n, number) has three parts, and their count comes first.
    states = _fold(_fold(_words(3), seeds), _words(n))
    keys = _fold(states, np.arange(NUM_ROUNDS, dtype=np.uint64)[:, None])
    return _walk(n, np.broadcast_to(np.arange(n, dtype=np.uint64), (len(seeds), n)), keys)


def _walk(n: int, positions: _Words, keys: _Words) -> npt.NDArray[np.int64]:
    """Images of positions (networks, m), each row under its own of the keys (rounds, networks)."""
    image = _network(n, positions, keys[:, :, None])
    row, column = np.nonzero(image >= np.uint64(n))
    while row.size:
        again = _network(n, image[row, column], keys[:, row])
        image[row, column] = again
        left = again >= np.uint64(n)
        row, column = row[left], column[left]
    return image.astype(np.int64)


def _network(n: int, values: _Words, keys: _Words) -> _Words:
    """One pass over the grid: a bijection of [0, width * height)."""
    width = isqrt(n - 1) + 1
    moduli = (np.uint64(width), np.uint64(-(-n // width)))
    right = values // moduli[0]
    left = values - right * moduli[0]
    for number, key in enumerate(keys):
        modulus = moduli[number % 2]
        mixed = _hash(right, key)
        # The remainder by way of the quotient: NumPy divides by a constant several times as fast.
        quotient = mixed // modulus
        quotient *= modulus
        mixed -= quotient
        # Both terms are below the modulus, and a difference below zero wraps to a large number.
        left += mixed
        left, right = right, np.minimum(left, left - modulus, out=left)
    return left + right * moduli[0]


def _hash(values: _Words, key: _Words) -> _Words:
    """splitmix64's finaliser of each value, keyed; arithmetic modulo 2**64."""
    mixed = values * np.uint64(_GOLDEN)
    mixed += key
    return _finalise_words(mixed)


def _words(*values: int) -> _Words:
    return np.array(values, dtype=np.uint64)


def _fold(states: _Words, words: _Words) -> _Words:
    """One more part of a derived seed, for many seeds at once."""
    return _finalise_words((states + np.uint64(_GOLDEN)) ^ words)


def _finalise_words(mixed: _Words) -> _Words:
    """As `_finalise`, in place."""
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(_MIX_1)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(_MIX_2)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _finalise(value: int) -> int:
    value = ((value ^ (value >> 30)) * _MIX_1) & _MASK
    value = ((value ^ (value >> 27)) * _MIX_2) & _MASK
    return value ^ (value >> 31)
