"""Lines of boilerplate go, lines of text stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.clean import CleanConfig
from pipelines.clean.judge import Judge, Kept
from pipelines.clean.lists import LineList
from pipelines.clean.profiles import PROFILES
from pipelines.clean.rules.boilerplate import drop_lines, is_boilerplate


@pytest.mark.parametrize(
    "line",
    [
        "We use cookies to give you the best experience. By continuing you agree to our policy.",
        *(
            "Accept all cookies",
            "Wir verwenden Cookies.",
            "Nous utilisons des cookies",
            "本网站使用 Cookie，请接受",
        ),
        *(
            "Share this",
            "share this article on Facebook",
            "Tweet",
            "Read more »",
            "> Skip to content",
            "Log in",
        ),
        *(
            "Sign up for our free weekly newsletter",
            "Back to top ↑",
            "12 Comments",
            "Advertisement",
            "Weiterlesen",
        ),
        *("返回顶部", "分享到微博", "上一篇"),
        *(
            "Home | News | Sport | Contact us",
            "Home › Products › Tools › Hammers",
            "首页 | 新闻 | 体育 | 联系我们",
        ),
        *(
            "© 2019 The Daily Sentinel",
            "Copyright (c) 2001-2023 Jo Doe",
            "The Sentinel. All rights reserved.",
        ),
        "Alle Rechte vorbehalten",
    ],
)
def test_boilerplate_goes(line: str) -> None:
    assert is_boilerplate(line)
    assert is_boilerplate(f"  {line} ")


@pytest.mark.parametrize(
    "line",
    [
        *(
            "",
            "Cookies are baked for ten minutes at 180 degrees.",
            "A cookie is a small file that a browser keeps.",
        ),
        "Share this out among the three of you and see what is left.",
        *(
            "He said: read more books, and he was right.",
            "Next we look at the weather.",
            "The home of the brave.",
        ),
        *("| a | b | c | d |", "x = a | b | c | d | 1", "One · two · three · four sentences make a text."),
        *("The copyright of the book passed to his heirs.", "12 comments were made by the committee."),
        "usr/local/lib/python/site-packages",
        "Cookies " + "and consent and policy " * 20,
    ],
)
def test_text_stays(line: str) -> None:
    assert not is_boilerplate(line)


def test_the_step_works_alone_and_counts_its_lines(tmp_path: Path) -> None:
    own = tmp_path / "lines.txt"
    own.write_text("# ours\nPosted by*\nOur motto\n", encoding="utf-8")
    config = CleanConfig(rules=("boilerplate.lines", "length.words.min"), boilerplate=(str(own),))
    text = "Home | News | Sport | More\nThe text stays.\nposted by Jo\nOUR  motto\n© 2020 X"
    decision = Judge(config).judge(text)
    assert isinstance(decision, Kept)
    assert decision.text == "The text stays."
    assert decision.measures["boilerplate.lines"] == 4


def test_no_published_profile_has_the_step() -> None:
    assert not any("boilerplate.lines" in profile.items for profile in PROFILES.values())


@given(st.text(alphabet=st.sampled_from("Home | \nShare this©2019.文")))
def test_what_stays_are_lines_of_the_text_and_no_boilerplate(text: str) -> None:
    left = drop_lines(text, LineList(["x"]))
    assert not any(map(is_boilerplate, left.split("\n")))
    lines = iter(text.split("\n"))
    assert all(line in lines for line in left.split("\n") if line)
    assert drop_lines(left) == left
