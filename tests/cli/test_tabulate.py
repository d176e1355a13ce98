"""Tables for a terminal: what is short stays whole, what is long is cut, nothing steers the terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipelines.cli.tabulate import fair_widths, fitted, table


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=20), st.integers(20, 300))
def test_fair_widths_fill_the_width_and_favour_the_short(wanted: list[int], total: int) -> None:
    widths = fair_widths(wanted, total)
    assert sum(widths) <= total
    assert sum(widths) == min(sum(wanted), total)
    cut = [width for width, want in zip(widths, wanted, strict=True) if width < want]
    whole = [width for width, want in zip(widths, wanted, strict=True) if width == want]
    # Columns that are cut get equal shares, but for what does not divide: none less than one that is whole.
    assert not cut or max(cut) - min(cut) <= 1
    assert not cut or max(whole, default=0) <= min(cut) + 1


def test_a_short_column_stays_whole_beside_long_ones() -> None:
    lines = fitted(["id", "text", "more"], [["12345", "x" * 5000, "y" * 500]]).splitlines()
    assert lines[1].startswith("12345  xxx")
    assert "…" in lines[1]
    assert all(len(line) <= 160 for line in lines)


def test_control_characters_and_markup_are_shown_not_obeyed() -> None:
    shown = fitted(["a"], [["\x1b[31mred[/] [bold]\n\t"]])
    assert "\x1b" not in shown
    assert "[bold]" in shown


def test_numbers_are_aligned_on_the_right() -> None:
    assert table(["n", "s"], [["1", "a"], ["100", "b"]], right={0}).splitlines() == [
        "  n  s", "  1  a", "100  b",
    ]  # fmt: skip
