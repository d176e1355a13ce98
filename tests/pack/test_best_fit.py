"""Best-fit-decreasing equals a plain search over all sequences."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.pack.best_fit import place

lengths = st.lists(st.integers(min_value=1, max_value=70), max_size=60)


def _plain(rests: list[int], size: int) -> list[int]:
    """Rooms that are left, found by looking at every sequence for each rest, the longest first."""
    rooms: list[int] = []
    for rest in sorted(rests, reverse=True):
        fits = [number for number, room in enumerate(rooms) if room >= rest]
        if fits:
            rooms[min(fits, key=lambda number: rooms[number])] -= rest
        else:
            rooms.append(size - rest)
    return sorted(rooms)


@given(lengths, st.integers(min_value=2, max_value=33))
def test_the_rooms_that_stay_are_those_of_a_plain_search(lengths: list[int], size: int) -> None:
    found = place(np.array(lengths, np.int64), size)
    filled = np.bincount(found.sequence, found.length, minlength=found.num_sequences).astype(int)
    rooms = sorted((size - filled).tolist())
    rests = [length % size for length in lengths if length % size]
    full = sum(length // size for length in lengths)
    assert rooms == sorted([0] * full + _plain(rests, size))
    # Chunks of a sequence lie behind each other, without a hole.
    for number in range(found.num_sequences):
        own = found.sequence == number
        assert found.at[own].tolist() == (np.cumsum(found.length[own]) - found.length[own]).tolist()


def test_the_fullest_sequence_with_room_is_taken() -> None:
    found = place(np.array([4, 9, 6, 3, 1]), 10)
    by_sequence = [found.document[found.sequence == number].tolist() for number in range(found.num_sequences)]
    # 9; 6 and 4; 3; then 1 goes to the 9, which has the least room.
    assert by_sequence == [[1, 4], [2, 0], [3]]


def test_a_bound_on_the_padding() -> None:
    """Decreasing order: many short documents fill what long ones leave."""
    random = np.random.default_rng(1)
    lengths = np.maximum(1, random.lognormal(5, 1, 20_000).astype(np.int64))
    found = place(lengths, 1024)
    assert found.num_sequences * 1024 < 1.001 * lengths.sum() + 1024
