"""Sums of buckets on the driver: one array a split, however many rows there are."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.pack import order


def test_sums_become_one_array_a_split_and_offsets_what_lies_before(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    zeros = np.zeros

    def count(size: int, dtype: type) -> order.Ints:
        made.append(size)
        return zeros(size, dtype)

    monkeypatch.setattr(np, "zeros", count)
    rows = [(split, bucket, bucket + 1) for bucket in (0, 1, 3) for split in ("train", "validation")]
    found = order.by_bucket(rows, 2)
    assert made == [4, 4]
    assert {split: own.tolist() for split, own in found.items()} == {
        "train": [1, 2, 0, 4],
        "validation": [1, 2, 0, 4],
    }
    assert order.offsets(found)["train"].tolist() == [0, 1, 3, 3]
