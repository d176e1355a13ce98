"""Rows of examples as packing leaves them, for tests of the tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schemas.token_ids import BEGINS, LEARNED
from training.data.reader import Batch

END = 0

Pair = tuple[Sequence[int], Sequence[int]]


def words(given: Sequence[int], learned: Sequence[int]) -> list[int]:
    """One example: what is given, then what is learned, then the token that ends it."""
    marked = [*given, *(number | LEARNED for number in learned)]
    return [marked[0] | BEGINS, *marked[1:], END]


def batch_of(rows: Sequence[Sequence[Pair]], length: int, first_id: int = 0) -> Batch:
    """A batch of rows of examples, padded."""
    ids = np.full((len(rows), length), END, np.uint32)
    counts = []
    for place, row in enumerate(rows):
        flat = [word for pair in row for word in words(*pair)]
        ids[place, : len(flat)] = flat
        counts.append(len(flat))
    numbers = np.arange(first_id, first_id + len(rows), dtype=np.int64)
    return Batch(0, numbers, ids, np.array(counts, np.int32))


def random_places(num_rows: int, seed: int) -> list[list[Pair]]:
    """Rows of windows of random lengths, in which a first and a last place are learned."""
    draw = np.random.default_rng(seed)
    rows = random_rows(num_rows, 64, 60, seed)
    return [[(given, sorted(draw.integers(0, len(given), 2).tolist())) for given, _ in row] for row in rows]


def random_rows(
    num_rows: int, length: int, vocab_size: int, seed: int, classes: int = 0, target_size: int | None = None
) -> list[list[Pair]]:
    """Rows filled with examples of random lengths; with classes, what is learned is the number of one."""
    target_size = target_size or vocab_size
    draw = np.random.default_rng(seed)
    rows = []
    for _ in range(num_rows):
        row: list[Pair] = []
        left = length
        while left > 12 and (not row or draw.random() < 0.9):
            given = draw.integers(1, vocab_size, draw.integers(1, 6)).tolist()
            learned = (
                [int(draw.integers(0, classes))]
                if classes
                else draw.integers(1, target_size, draw.integers(1, 6)).tolist()
            )
            row.append((given, learned))
            left -= len(given) + len(learned) + 1
        rows.append(row)
    return rows
