"""Block-lists of addresses and words, and lists of lines: what is on them, and what they cost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from conf import ConfigError
from conf.clean import CleanConfig
from pipelines.clean.judge import Judge, Kept, Refused
from pipelines.clean.lists import LineList, UrlBlocklist, WordBlocklist
from pipelines.clean.lists.read import MAX_ENTRY_CHARACTERS
from pipelines.clean.resources import lists_fingerprint
from pipelines.errors import InputError

URLS = UrlBlocklist(
    [
        "bad.example",
        "*.worse.example",
        "https://news.example/forum/",
        "shop.example/?page=ads",
        "bücher.example",
    ]
)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://bad.example",
            "https://www.bad.example/a?b#c",
            "HTTP://BAD.EXAMPLE.:8080/",
            "//bad.example/x",
        ),
        *(
            "ftp://me:pw@a.b.bad.example/x",
            "bad.example/x",
            "https://worse.example",
            "https://x.worse.example",
        ),
        *("http://news.example/forum", "https://www.news.example/forum/1", "http://news.example/forum?id=1"),
        *("https://shop.example/?page=ads&x=1", "https://xn--bcher-kva.example/", "https://BÜCHER.example/"),
        "http:\\\\bad.example\\x",
    ],
)
def test_blocked_addresses(url: str) -> None:
    assert url in URLS


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://notbad.example",
            "http://bad.example.org",
            "http://x.org/bad.example",
            "http://x.org?u=bad.example",
        ),
        *(
            "http://bad.example@x.org/",
            "http://news.example/",
            "http://news.example/forums",
            "http://news.example/a/forum",
        ),
        *("https://shop.example/?page=adsense", "http://[::1]/", "", "no address", "http://", None),
    ],
)
def test_other_addresses(url: str | None) -> None:
    assert url not in URLS


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("a bad day, BAD. bad", 3),
        ("badly, unbad, bad_day, bäd", 0),
        ("very  bad", 2),
        ("very, very-bad", 2),
        ("very good bad", 1),
        ("这是坏东西，破坏", 3),
        ("STRASSE straße", 2),
        ("cafe\u0301", 1),
        ("", 0),
    ],
)
def test_blocked_words_are_whole_words_and_substrings_where_there_are_no_spaces(text: str, hits: int) -> None:
    assert WordBlocklist(["Bad", "very bad", "坏", "坏东西", "Straße", "café", "..."]).hits(text) == hits


def test_lines_are_compared_without_case_and_spacing() -> None:
    own = LineList(["Share this", "Posted by*", "*"])
    assert "share   THIS " in own
    assert "Posted by Jo on Monday" in own
    assert "Share this!" not in own
    assert "" not in own


def test_a_million_entries_cost_a_text_no_more_than_ten() -> None:
    text = "some ordinary words and 中文 follow each other here " * 400

    def seconds(size: int) -> float:
        entries = [f"word{number}" if number % 3 else f"词{number} some w{number}" for number in range(size)]
        words, urls = WordBlocklist(entries), UrlBlocklist(f"d{number}.example/p" for number in range(size))
        started = time.process_time()
        assert words.hits(text) == 0
        assert "https://www.x.d7.example/q/r/s" not in urls
        return time.process_time() - started

    few = min(seconds(10) for _ in range(3))
    assert seconds(200_000) < 20 * max(few, 0.001)


def test_hostile_addresses_take_linear_time() -> None:
    deep = UrlBlocklist(["x.example/" + "a/" * 50])
    for url in ("http://" + "a." * 500_000, "http://x.example/" + "a/" * 500_000, "http://" + "@" * 500_000):
        assert (url in deep) == url.startswith("http://x.example")


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_lists_reject_documents_by_their_rules(tmp_path: Path) -> None:
    urls = write(tmp_path / "urls", "# ours\n\nbad.example\n")
    german, every = write(tmp_path / "de", "schlimm\n"), write(tmp_path / "all", "\ufeffawful\r\n")
    config = CleanConfig(
        profile="none", url_blocklist=(urls,), word_blocklist={"de": (german,), "all": (every,)}
    )
    judge = Judge(config)
    assert [item.name for item in judge.plan.items] == ["blocklist.url.max", "blocklist.words.max"]
    blocked = judge.judge("An awful text.", url="https://www.bad.example/x")
    assert isinstance(blocked, Refused)
    assert (blocked.rule, blocked.value, blocked.threshold) == ("blocklist.url.max", 1, 0)
    worded = judge.judge("An awful, awful text of some length.", url="https://good.example")
    assert isinstance(worded, Refused)
    assert (worded.rule, worded.value) == ("blocklist.words.max", 2)
    of_germans = "Das ist ein schlimmer und schlimm langer Satz in deutscher Sprache."
    assert isinstance(judge.judge(of_germans), Refused)
    assert isinstance(judge.judge("The word schlimm is German, and this sentence is English."), Kept)
    kept = Judge(config.model_copy(update={"thresholds": {"blocklist.words.max": 2}})).judge("awful, awful")
    assert isinstance(kept, Kept)
    assert kept.measures["blocklist.words.max"] == 2
    shared = CleanConfig(
        rules=("blocklist.word_share.max",),
        word_blocklist={"all": (every,)},
        thresholds={"blocklist.word_share.max": 0.5},
    )
    assert isinstance(Judge(shared).judge("awful day"), Kept)
    assert isinstance(Judge(shared).judge("awful awful day"), Refused)


def test_addresses_come_first_in_the_order_of_the_release(tmp_path: Path) -> None:
    urls = write(tmp_path / "urls", "bad.example\n")
    items = [item.name for item in Judge(CleanConfig(profile="fineweb", url_blocklist=(urls,))).plan.items]
    plain = [item.name for item in Judge(CleanConfig(profile="fineweb")).plan.items]
    assert items == ["blocklist.url.max", *plain]


def test_a_changed_list_changes_the_fingerprint(tmp_path: Path) -> None:
    place = write(tmp_path / "words", "one\n")
    config = CleanConfig(word_blocklist={"all": (place,)})
    before = lists_fingerprint(config)
    assert before == lists_fingerprint(config) != ""
    write(tmp_path / "words", "two\n")
    assert lists_fingerprint(config) != before
    assert lists_fingerprint(CleanConfig()) == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfe", "no UTF-8 at byte 0"), (b"ok\n" + b"x" * (MAX_ENTRY_CHARACTERS + 1), "line 2")],
)
def test_lists_that_cannot_be_used(tmp_path: Path, content: bytes, message: str) -> None:
    place = write(tmp_path / "list", content)
    with pytest.raises(InputError, match=message):
        Judge(CleanConfig(url_blocklist=(place,)))


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    for place in (str(tmp_path / "missing.txt"), str(tmp_path)):
        with pytest.raises(InputError, match=r"clean\.word_blocklist\.de: the list"):
            Judge(CleanConfig(word_blocklist={"de": (place,)}))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"word_blocklist": {"German": ()}}, "ISO 639-1"),
        ({"stop_words": {"all": ("der",)}}, "ISO 639-1"),
        ({"boilerplate": ("lines.txt",)}, r"boilerplate\.lines"),
    ],
)
def test_mistakes_in_the_configuration_of_lists(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Judge(CleanConfig(**config))
