"""Items that name the one they follow stand in one order, whatever order they are given in."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringlake.base.order import in_order

Item = tuple[str, str]


def ordered(items: list[Item]) -> list[str]:
    return [name for name, _ in in_order(items, lambda item: item[0], lambda item: item[1])]


@st.composite
def trees(draw: st.DrawFn) -> list[Item]:
    parents = draw(st.lists(st.integers(0, 10**6), max_size=12))
    return [("n0", "")] + [(f"n{i}", f"n{at % i}") for i, at in enumerate(parents, 1)]


@given(trees(), st.randoms())
def test_each_comes_behind_the_one_it_follows_in_any_order_given(
    items: list[Item], random: random.Random
) -> None:
    found = ordered(items)
    assert sorted(found) == sorted(name for name, _ in items)
    assert all(found.index(after) < found.index(name) for name, after in items if after)
    shuffled = items[:]
    random.shuffle(shuffled)
    assert ordered(shuffled) == found


def test_a_side_branch_stands_where_it_leaves_the_way() -> None:
    way = [("ingest", ""), ("clean", "ingest"), ("dedup", "clean"), ("pack", "dedup")]
    assert ordered([*way, ("hosts", "clean")]) == ["ingest", "clean", "hosts", "dedup", "pack"]
    assert ordered([*way, ("last", "pack")]) == ["ingest", "clean", "dedup", "pack", "last"]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([("a", ""), ("a", "")], "two of this name"),
        ([("a", ""), ("b", "c")], "'b' follows 'c', which is none of a, b"),
        ([("a", ""), ("b", "c"), ("c", "b")], "b, c follow each other in a circle"),
    ],
)
def test_what_has_no_place_is_refused(items: list[Item], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ordered(items)
