"""FineWeb's own rules on texts whose values were worked out by hand."""

from __future__ import annotations

import pytest

from pipelines.clean.rules import RULES
from pipelines.text.punctuation import SYMBOLS, TERMINAL_PUNCTUATION
from tests.clean.support import measure, passes


def lines(**counts: int) -> str:
    kinds = {
        "ended": "a sentence that ends.",
        "bare": "words with no mark",
        "long": "a" * 31,
        "short": "b" * 30,
    }
    return "\n".join(f"{kinds[kind]}" for kind, count in counts.items() for _ in range(count))


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        # at least 12% of the lines end with a mark: 3 of 25, 2 of 17
        ("fineweb.line_punctuation.min", lines(ended=3, bare=22), lines(ended=2, bare=15)),
        # at most 67% of the lines have at most 30 characters: 67 of 100, 68 of 100
        ("fineweb.short_lines.max", lines(short=67, long=33), lines(short=68, long=32)),
        # at most 1% of the characters are in repeated lines: 1 of 100, 1 of 99
        ("fineweb.duplicate_line_chars.max", "x\nx\n" + "a" * 98, "x\nx\n" + "a" * 97),
        # at most 0.3 line feeds a word: 3 and 10, 4 and 13
        ("fineweb.newline_ratio.max", "a\nb\nc\nd e f g h i j", "a\nb\nc\nd\ne f g h i j k l m"),
    ],
)
def test_at_the_limit(rule: str, good: str, bad: str) -> None:
    assert passes(rule, good)
    assert not passes(rule, bad)


def test_blank_lines_are_no_lines_but_their_feeds_count() -> None:
    text = "one.\n\n  \ntwo"
    assert measure("fineweb.line_punctuation.min", text) == pytest.approx(1 / 2)
    # 3 line feeds; words: one . two
    assert measure("fineweb.newline_ratio.max", text) == pytest.approx(3 / 3)
    assert measure("fineweb.newline_ratio.max", text, "whitespace") == pytest.approx(3 / 2)


def test_a_text_of_blanks_is_turned_away() -> None:
    assert not passes("fineweb.line_punctuation.min", "")
    assert not passes("fineweb.line_punctuation.min", " \n ")


def test_thresholds_are_those_of_the_release() -> None:
    assert {name: rule.threshold for name, rule in RULES.items() if name.startswith("fineweb.")} == {
        "fineweb.line_punctuation.min": 0.12,
        "fineweb.short_lines.max": 0.67,
        "fineweb.duplicate_line_chars.max": 0.01,
        "fineweb.newline_ratio.max": 0.3,
    }


def test_terminal_marks_of_many_scripts() -> None:
    for mark in ".!?。？！।؟۔።។":
        assert mark in TERMINAL_PUNCTUATION
        assert measure("fineweb.line_punctuation.min", "a" + mark) == 1
    for other in ",;:'\")a1":
        assert other not in TERMINAL_PUNCTUATION


def test_the_set_is_unicodes_sentence_terminals() -> None:
    regex = pytest.importorskip("regex")
    everything = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF)
    unicode = set(regex.findall(r"\p{Sentence_Terminal}", everything))
    # Three Khmer signs are not in Unicode's set; later versions of Unicode may add to it.
    assert {hex(ord(char)) for char in TERMINAL_PUNCTUATION - unicode} == {"0x17d6", "0x17d9", "0x17da"}
    assert len(TERMINAL_PUNCTUATION & unicode) == 156


def test_symbols_are_no_letters_or_digits() -> None:
    assert {char for char in SYMBOLS if char.isalnum()} == {"１"}
    assert TERMINAL_PUNCTUATION <= SYMBOLS
