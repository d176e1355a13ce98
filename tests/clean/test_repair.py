"""What repair changes, what it leaves alone, and that it settles."""

from __future__ import annotations

import itertools
import re
import unicodedata

import ftfy
import pyarrow as pa
import pytest
from ftfy.badness import is_bad
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.text import repair as repair_module
from pipelines.text.code_points import decode
from pipelines.text.repair import (
    _MOJIBAKE_ONLY,
    _fix_encoding,
    _fix_line,
    repair,
    repair_all,
    suspicious,
)

# Pieces of faults that pile up in real texts more often than chance would put them together.
PIECES = st.sampled_from(
    [
        *("Ã©", "â€™", "Â\xa0", "é", "\x92", "ï»¿", "Ãƒ", "Ã\x83Â©", "ﬁ", "a", "文"),
        *("\r", "\n", "\r\n", "\u2028", "\x85", " ", "\t", "\xa0"),
        *("\x1b[31m", "\x1b", "[0m", "\x00", "\ufeff"),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=80), st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=25).map("".join)
)


@pytest.mark.parametrize(
    ("text", "repaired", "count"),
    [
        ("plain text", "plain text", 0),
        ("", "", 0),
        ("a\r\nb\rc", "a\nb\nc", 2),
        ("a  \nb\t\n", "a\nb", 4),
        ("a\n\n\n\n\nb", "a\n\n\nb", 2),
        ("a\n\n\nb", "a\n\n\nb", 0),
        ("\n\n  indented stays\n", "  indented stays", 3),
        ("a\x00b\x07c\x7f", "abc", 3),
        ("\x1b[1;31mred\x1b[0m", "red", 11),
        ("\x1b]0;build log\x07make: done", "make: done", 14),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link", 33),
        ("bold\x1b(B\x1b[m text", "bold text", 6),
        ("N\x08NA\x08AM\x08ME\x08E", "NAME", 8),
        ("_\x08u_\x08n", "un", 4),
        ("a\u2028b\x0cc", "a\nb\nc", 2),
        ("\ufeffBOM", "BOM", 1),
        ("cafe\u0301", "café", 2),
        ("schÃ¶n", "schön", 2),
        ("It\u2019s \ufb01ne &amp; \uff21", "It\u2019s \ufb01ne &amp; \uff21", 0),
        ("tabs\tinside stay", "tabs\tinside stay", 0),
    ],
)
def test_cases(text: str, repaired: str, count: int) -> None:
    assert repair(text) == (repaired, count)


def test_windows_punctuation_that_was_read_as_latin1() -> None:
    assert repair("It\x92s")[0] == "It\u2019s"


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_repair_settles_and_holds_its_promises(text: str) -> None:
    repaired, count = repair(text)
    assert repair(repaired) == (repaired, 0)
    assert (count > 0) or (repaired == text) or sorted(text) == sorted(repaired)
    assert unicodedata.is_normalized("NFC", repaired)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]", repaired)
    assert not re.search(r"[^\S\n]\n|\n{4,}|[^\S\n]\Z", repaired)
    assert repaired == repaired.strip("\n")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=50))
def test_printable_ascii_is_left_alone(text: str) -> None:
    assert repair(text) == (text, 0)


def test_long_runs_of_white_space_take_linear_time() -> None:
    text = "a" + " " * 300_000 + "b" + "\r" * 300_000 + "c" + "\n " * 300_000 + "d"
    assert repair(text)[0] == "a" + " " * 300_000 + "b\n\n\nc\n\n\n d"


@settings(max_examples=400, deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_a_batch_is_repaired_as_its_texts_are(texts: list[str]) -> None:
    """What is passed over at a glance is what repair would leave alone."""
    repaired, counts = repair_all(pa.array(texts, pa.large_string()))
    assert list(zip(repaired.to_pylist(), counts.tolist(), strict=True)) == [repair(text) for text in texts]


def test_a_glance_passes_over_ordinary_texts_and_stops_at_every_fault() -> None:
    fine = [
        "plain",
        "It’s “so” – he said…",
        "人人生而自由。",
        "a\n\n\nb",
        "",
        "한국어 😀",
        "\ta",
        "café £1 ® K;`",
    ]
    faults = [
        "\na",
        "a\n",
        "a ",
        "a\u3000\nb",
        "a\n\n\n\nb",
        "a\x00",
        "a\rb",
        "e\u0301",
        "\u1100\u1161",
        "é’",
        "â€",
        "Â ",
        "\x85",
    ]
    found = suspicious(decode(pa.array([*fine, *faults], pa.large_string())))
    assert found.tolist() == [False] * len(fine) + [True] * len(faults)


def test_no_character_that_is_passed_over_is_changed_by_itself() -> None:
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
    found = suspicious(decode(pa.array([f"a{character}a" for character in every], pa.large_string())))
    passed = [character for character, suspect in zip(every, found, strict=True) if not suspect]
    assert len(passed) > 50_000
    # Two by two, with what stands for all others: none of ftfy's patterns, and nothing to normalize.
    marks = [
        "–",
        "’",
        "‘",
        "“",
        "”",
        "…",
        "•",
        "\xa0",
        "·",
        "—",
        "a",
        "A",
        "1",
        " ",
        ".",
        "文",
        "。",
        "-",
        "?",
    ]
    for count in (2, 3):
        for characters in itertools.product(marks, repeat=count):
            assert not is_bad("".join(characters)), characters
    assert not is_bad(" ".join(passed))
    assert unicodedata.is_normalized("NFC", "".join(passed))
    # Latin letters and signs among ASCII.
    alone = [character for character in passed if 0xA1 <= ord(character) < 0x250 or character in "€™"]
    assert len(alone) > 400
    near = ["", "a", "A", " ", "-", "\n"]
    for before, after in itertools.product(map("".join, itertools.product(near, repeat=2)), repeat=2):
        assert not any(is_bad(before + character + after) for character in alone), (before, after)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(PIECES, st.sampled_from(["Ã ", "Â ", "à", "œ", "€", "”"])), max_size=12).map("".join)
)
def test_encoding_is_repaired_line_by_line(text: str) -> None:
    """Lines that ftfy's pattern does not find in the whole text are as ftfy leaves them."""
    lines = [line if line.isascii() else ftfy.fix_text(line, _MOJIBAKE_ONLY) for line in text.split("\n")]
    assert _fix_encoding(text) == "\n".join(lines)


@given(st.lists(st.one_of(PIECES, st.text(max_size=3), st.just("plain words")), max_size=40).map("".join))
@example("a\r\x1b[31m\nb\r\r\nc\r\x00\nd\r")
def test_a_large_text_is_repaired_as_a_small_one_but_for_the_encoding(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # Line by line, as where ftfy is asked about a text that it would take in pieces.
        patch.setattr(
            repair_module, "_fix_encoding", lambda text: "\n".join(map(_fix_line, text.split("\n")))
        )
        expected = repair(text)
        patch.setattr(repair_module, "_BY_LINE", -1)
        patch.setattr(repair_module, "_LARGE", 0)
        assert repair(text) == expected
