"""Rows that do not add up are an error that shows all five numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import AccountingError
from pipelines.run.accounting import Tally

counts = st.integers(min_value=0, max_value=10**12)


@given(counts, counts, counts, counts)
def test_what_adds_up_passes(out: int, rejected: int, quarantined: int, duplicate: int) -> None:
    Tally(out + rejected + quarantined + duplicate, out, rejected, quarantined, duplicate).check("clean")


@given(counts, st.integers(min_value=1, max_value=9), st.sampled_from([-1, 1]))
def test_a_lost_or_doubled_row_fails(out: int, difference: int, sign: int) -> None:
    tally = Tally(rows_in=out + 20, rows_out=out + 20 + sign * difference)
    with pytest.raises(AccountingError, match=f"clean: {out + 20} documents went in"):
        tally.check("clean")
