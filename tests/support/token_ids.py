"""Token ids in tests: numbers to what the tables store, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def stored(ids: Sequence[int], num_bytes: int = 2) -> bytearray:
    """Ids as a value of `input_ids`."""
    return bytearray(np.asarray(ids, f"<u{num_bytes}").tobytes())


def numbers(value: bytes | bytearray, num_bytes: int = 2) -> list[int]:
    """A value of `input_ids` as numbers."""
    return [int.from_bytes(value[at : at + num_bytes], "little") for at in range(0, len(value), num_bytes)]
