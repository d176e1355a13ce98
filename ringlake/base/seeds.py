"""Seeds made of integers, and what each is for: no two uses of one configured seed share their numbers.

The finaliser is that of splitmix64 (Steele, Lea and Flood, OOPSLA 2014), a bijection of 64-bit integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, unique

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

GOLDEN = 0x9E3779B97F4A7C15
"""2**64 over the golden ratio, odd: splitmix64's step."""

MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB

_MASK = 2**64 - 1


@unique
class Purpose(IntEnum):
    """What a seed is derived for; part of it, so that two purposes have unrelated seeds.

    A number once given stays: it decides the sequences and batches that a seed makes.
    """

    BLOCK_ORDER = 1
    """Order of the row groups in an epoch."""
    PARTIAL_PLACE = 2
    """Place of the last row group, which is shorter, among them."""
    ROW_ORDER = 3
    """Order of the rows in a row group in an epoch."""
    TABLE_ORDER = 4
    """Order of one of several tables."""
    INITIAL_WEIGHTS = 11
    """Weights that a model starts with."""
    DROPOUT = 12
    """Random numbers of a sequence in a step."""
    SEQUENCE_ORDER = 21
    """The global shuffle of the packed sequences."""
    MIXTURE = 22
    """Which documents of a group are taken, and which twice."""
    HELD_OUT = 31
    """Which documents two recipes are compared on."""
    BOOTSTRAP = 32
    """Resampling of what they are compared on."""


def derive_seed(*parts: int) -> int:
    """A 64-bit seed from integers such as (seed, purpose, epoch): equal parts give equal seeds.

    The finaliser is chained over the parts, so that neighbouring values give unrelated seeds and the order of
    the parts matters.

    Raises:
        ValueError: A part is below 0.
    """
    return _chain(len(parts), parts)


def derive_seeds(*parts: int, last: Sequence[int]) -> Words:
    """`derive_seed(*parts, each)` for each of `last`, integers of 64 bits; uint64 (last,)."""
    return extend_seeds(_words(_chain(len(parts) + 1, parts)), _words(*last))


def extend_seeds(states: Words, words: Words) -> Words:
    """One more part of many derived seeds at once, 64 bits each; the first part is how many there are."""
    return finalise((states + np.uint64(GOLDEN)) ^ words)


def finalise(mixed: Words) -> Words:
    """The finaliser of each value, in place."""
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(MIX_1)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(MIX_2)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _chain(state: int, parts: Sequence[int]) -> int:
    for part in parts:
        if part < 0:
            raise ValueError(f"a seed is made of integers >= 0, not {part}")
        num_words = max(1, -(-part.bit_length() // 64))
        for index in range(num_words):
            word = (part >> 64 * index) & _MASK
            state = _finalise(((state + GOLDEN) & _MASK) ^ word)
    return state


def _words(*values: int) -> Words:
    return np.array(values, dtype=np.uint64)


def _finalise(value: int) -> int:
    value = ((value ^ (value >> 30)) * MIX_1) & _MASK
    value = ((value ^ (value >> 27)) * MIX_2) & _MASK
    return value ^ (value >> 31)
