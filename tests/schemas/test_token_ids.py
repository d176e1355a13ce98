"""Rows of equal length as a matrix are the same ids as rows of any length, and other rows are refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.token_ids import flat_ids, id_matrix, token_type


@given(
    rows=st.integers(0, 20),
    length=st.integers(1, 9),
    num_bytes=st.sampled_from([2, 4]),
    skipped=st.integers(0, 5),
    cut=st.integers(0, 5),
)
def test_a_matrix_holds_the_ids_of_any_slice(
    rows: int, length: int, num_bytes: int, skipped: int, cut: int
) -> None:
    ids = np.arange(rows * length, dtype=token_type(num_bytes)).reshape(rows, length)
    column = pa.array([row.tobytes() for row in ids], pa.binary())[skipped : max(skipped, rows - cut)]
    matrix = id_matrix(column, num_bytes, length)
    assert matrix.tolist() == ids[skipped : max(skipped, rows - cut)].tolist()
    assert matrix.reshape(-1).tolist() == flat_ids(column, num_bytes)[0].tolist()
    assert matrix.dtype == ids.dtype


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([b"1234", b"12"], "has 1 tokens, but sequences have 2"),
        ([b"123456", b"12"], "has 3 tokens, but sequences have 2"),
        ([b"1234", b"", b"12345678"], "has 0 tokens"),
        ([b"1234", b"123"], "does not hold whole ids of 2 bytes"),
        ([b"1234", None], "is null"),
        ([None], "is null"),
    ],
)
def test_other_rows_are_refused(values: list[bytes | None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        id_matrix(pa.array(values, pa.binary()), 2, 2)
