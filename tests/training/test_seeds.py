"""Seeds by purpose: one number is one purpose, and its seeds are nobody else's."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ringlake.base.seeds import Purpose, derive_seed

ROOT = Path(__file__).resolve().parents[2]


@given(st.integers(0, 2**64), st.lists(st.integers(0, 2**40), max_size=3))
def test_no_two_purposes_share_a_seed(seed: int, rest: list[int]) -> None:
    seeds = [derive_seed(seed, purpose, *rest) for purpose in Purpose]
    assert len(set(seeds)) == len(Purpose)


def test_the_numbers_are_those_that_tables_and_checkpoints_were_made_with() -> None:
    assert {purpose.name: int(purpose) for purpose in Purpose} == {
        "BLOCK_ORDER": 1,
        "PARTIAL_PLACE": 2,
        "ROW_ORDER": 3,
        "TABLE_ORDER": 4,
        "INITIAL_WEIGHTS": 11,
        "DROPOUT": 12,
        "SEQUENCE_ORDER": 21,
        "MIXTURE": 22,
        "HELD_OUT": 31,
        "BOOTSTRAP": 32,
    }


def test_the_constants_of_the_finaliser_are_written_once() -> None:
    constant = re.compile("0x(BF58476D1CE4E5B9|94D049BB133111EB)", re.IGNORECASE)
    found = [
        str(path.relative_to(ROOT))
        for folder in ("conf", "pipelines", "ringlake", "schemas", "training")
        for path in (ROOT / folder).rglob("*.py")
        if constant.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["ringlake/base/seeds.py"]
