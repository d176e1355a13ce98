"""Texts and numbers as the page shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from markupsafe import Markup

from pipelines.text import display


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a <b> & 'c' \"d\"", "a &lt;b&gt; &amp; &#39;c&#39; &#34;d&#34;"),
        ("tab\tand\nline", "tab\tand\nline"),
        (None, ""),
        ("中文 العربية e\u0301", "中文 العربية e\u0301"),
        ("\u202e", '<span class="code-point">U+202E</span>'),
        ("\ud800", '<span class="code-point">U+D800</span>'),
        ("\U000e0041", '<span class="code-point">U+E0041</span>'),
        (Markup("<i>"), "&lt;i&gt;"),
    ],
)
def test_visible(value: str | None, shown: str) -> None:
    assert str(display.visible(value)) == shown


def test_a_stack_of_marks_is_shown_up_to_four() -> None:
    found = str(display.visible("a" + "\u0301" * 100))
    assert found.count("\u0301") == 4
    assert found.count("U+0301") == 96


def test_a_cut_is_said_and_what_fits_is_whole() -> None:
    assert str(display.visible("abcdef", 6)) == "abcdef"
    assert str(display.visible("abcdefg", 6)) == 'abcdef<span class="cut" title="cut here">…</span>'


def test_a_name_may_break_after_a_dot_or_a_slash_and_is_escaped() -> None:
    found = str(display.name("site/pack.age/a.py/<b>long\u202ename"))
    assert found == ('site/<wbr>pack.age/a.py/<wbr>&lt;b&gt;long<span class="code-point">U+202E</span>name')


def test_plain_is_one_line_without_hidden_characters() -> None:
    assert display.plain("a\nb\tc\u200bd") == "a b cU+200Bd"


@pytest.mark.parametrize(
    ("function", "value", "shown"),
    [
        (display.count, 66123, "66,123"),
        (display.count, None, "–"),
        (display.short, 12_345_678, "12.3 M"),
        (display.short, 950, "950"),
        (display.size, 28_135_506, "28.1 MB"),
        (display.size, 0, "0 B"),
        (display.duration, 7.25, "7.2 s"),
        (display.duration, 754, "12 min 34 s"),
        (display.duration, 7384, "2 h 3 min"),
        (display.measure, 2 / 3, "0.667"),
        (display.measure, 12.0, "12"),
        (display.measure, 123456.7, "123,457"),
        (display.decimal, None, "–"),
    ],
)
def test_numbers(function: Callable[[Any], str], value: float | None, shown: str) -> None:
    assert function(value) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(1, 3, "33.3%"), (0, 3, "0.0%"), (1, 100_000, "<0.1%"), (99_999, 100_000, ">99.9%"), (3, 3, "100.0%")],
)
def test_a_share_never_rounds_some_to_none_or_not_all_to_all(part: int, whole: int, shown: str) -> None:
    assert display.share(part, whole) == shown


def test_a_share_of_nothing_is_not_known() -> None:
    assert display.share(0, 0) == "–"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["ringlake", "show", "lake"], "ringlake show lake"),
        (["a b", "$(rm)"], "'a b' '$(rm)'"),
        (["id = 'x'"], "\"id = 'x'\""),
        (["id = '$HOME'"], "'id = '\"'\"'$HOME'\"'\"''"),
    ],
)
def test_shell(words: list[str], line: str) -> None:
    assert display.shell(words) == line
