"""A keyed permutation of 0..n-1 in O(1) memory: the source of every shuffle, global or per epoch.

A generalised Feistel network on a grid a x b that just covers n (Black and Rogaway, "Ciphers with
Arbitrary Finite Domains", CT-RSA 2002, section 5), with cycle-walking back into the range (section 3).
It is evaluated for any positions on its own, so no shuffled list of a billion ids is ever held.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
import numpy.typing as npt

from ringlake.base.seeds import GOLDEN, Words, derive_seeds, extend_seeds, finalise

MAX_SIZE = 2**62
"""Largest n: keeps every intermediate value inside 64 bits."""

NUM_ROUNDS = 8
"""Feistel rounds, an even number. Four give a strong pseudo-random permutation (Luby and Rackoff, 1988);
twice as many keep tiny domains, where a round mixes few bits, close to uniform."""


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

    def place(self, image: int) -> int:
        """The position that goes to an image: the inverse of the call, one value at a time.

        Raises:
            ValueError: The image is outside of [0, n).
        """
        if not 0 <= image < self.n:
            raise ValueError(f"an image must lie in [0, {self.n}), not be {image}")
        keys = self._keys[:, 0]
        found = _network_back(self.n, image, keys)
        while found >= self.n:
            found = _network_back(self.n, found, keys)
        return found


def whole_orders(n: int, seeds: Words) -> npt.NDArray[np.int64]:
    """Several permutations of 0..n-1 at once, which takes little longer than one where n is small.

    Args:
        n: Size of the range, 1 to 2**62; all of it is computed.
        seeds: One for each permutation, uint64.

    Returns:
        int64 (seeds, n): each row is what `Permutation(n, seed)` makes of 0..n-1.
    """
    # derive_seed(seed, n, number) has three parts, and their count comes first.
    states = extend_seeds(extend_seeds(np.array([3], np.uint64), seeds), np.array([n], np.uint64))
    keys = extend_seeds(states, np.arange(NUM_ROUNDS, dtype=np.uint64)[:, None])
    return _walk(n, np.broadcast_to(np.arange(n, dtype=np.uint64), (len(seeds), n)), keys)


def _walk(n: int, positions: Words, keys: Words) -> npt.NDArray[np.int64]:
    """Images of positions (networks, m), each row under its own of the keys (rounds, networks)."""
    image = _network(n, positions, keys[:, :, None])
    row, column = np.nonzero(image >= np.uint64(n))
    while row.size:
        again = _network(n, image[row, column], keys[:, row])
        image[row, column] = again
        left = again >= np.uint64(n)
        row, column = row[left], column[left]
    return image.astype(np.int64)


def _network(n: int, values: Words, keys: Words) -> Words:
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


def _network_back(n: int, value: int, keys: Words) -> int:
    """The value that one pass over the grid takes to a value."""
    width = isqrt(n - 1) + 1
    moduli = (width, -(-n // width))
    right, left = divmod(value, width)
    for number in reversed(range(len(keys))):
        before = np.array([left], np.uint64)
        mixed = int(_hash(before, keys[number])[0]) % moduli[number % 2]
        left, right = (right - mixed) % moduli[number % 2], left
    return left + right * width


def _hash(values: Words, key: Words) -> Words:
    """The finaliser of each value, keyed; arithmetic modulo 2**64."""
    mixed = values * np.uint64(GOLDEN)
    mixed += key
    return finalise(mixed)
