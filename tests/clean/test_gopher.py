"""Gopher's rules on texts whose values were worked out by hand from the paper's definitions."""

from __future__ import annotations

import pytest

from pipelines.clean.rules import RULES
from tests.clean.support import measure, passes


def words(count: int, word: str = "word") -> str:
    return " ".join([word] * count)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        # 50 to 100,000 words; punctuation marks are none
        ("gopher.words.min", words(50), words(49)),
        ("gopher.words.min", words(50) + " . , !", words(49) + " . , !"),
        ("gopher.words.max", words(100_000), words(100_001)),
        # mean word length of 3 to 10 characters: (3 + 3) / 2, (2 + 3) / 2, 10, 21 / 2
        ("gopher.mean_word_length.min", "abc abc", "ab abc"),
        ("gopher.mean_word_length.max", "abcdefghij !!", "abcdefghij abcdefghijk"),
        # 1 hash sign and 10 words, the sign among them; 2 and 11
        ("gopher.hash_ratio.max", words(9) + " #", words(9) + " # #"),
        # "…" is a word by itself: 1 of 10, 2 of 11
        ("gopher.ellipsis_ratio.max", words(9) + " …", words(9) + " … …"),
        # three full stops are three words and one ellipsis: 1 / 10, 1 / 9
        ("gopher.ellipsis_ratio.max", words(7) + "...", words(6) + "..."),
        # more than 90% of lines begin with a bullet: 9 of 10, 10 of 10
        ("gopher.bullet_lines.max", "- a\n" * 9 + "a", "- a\n" * 9 + " • a"),
        ("gopher.bullet_lines.max", "* a\n" * 10, "-\n" * 10),
        # more than 30% end with an ellipsis: 3 of 10, 4 of 10
        ("gopher.ellipsis_lines.max", "a...\n" * 3 + "a\n" * 7, "a... \n" * 3 + "a…\n" + "a\n" * 6),
        # 80% of words have a letter: 8 of 10, 7 of 10 (marks are words)
        ("gopher.alphabetic_words.min", words(8) + " 1 !", words(7) + " 1 ! ?"),
        # at least two of the eight stop words
        ("gopher.stop_words.min", "the cat of", "the cat the"),
        ("gopher.stop_words.min", "with and", "The Of With"),
    ],
)
def test_quality_at_the_limit(rule: str, good: str, bad: str) -> None:
    assert passes(rule, good)
    assert not passes(rule, bad)


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        ("gopher.words.min", "It's 5 o'clock_ -- ok?", 6),  # It s 5 o clock_ ok
        ("gopher.mean_word_length.min", "ab abcd ...", 3),
        ("gopher.hash_ratio.max", "# ## a b", 3 / 5),
        ("gopher.alphabetic_words.min", "a1 2 b ,", 2 / 4),
        ("gopher.bullet_lines.max", "- a\n\n- b\nc", 2 / 4),
        # line runs: "ab", "cd", "ab", "ab"; 2 of 4 repeat, 4 of the 12 characters
        ("gopher.duplicate_lines.max", "ab\ncd\n\nab\nab", 2 / 4),
        ("gopher.duplicate_line_chars.max", "ab\ncd\n\nab\nab", 4 / 12),
        # paragraphs: "ab", "cd", "ab"; 2 of the 10 characters
        ("gopher.duplicate_paragraphs.max", "ab\n\ncd\n\nab", 1 / 3),
        ("gopher.duplicate_paragraph_chars.max", "ab\n\ncd\n\nab", 2 / 10),
        # "a b" twice, with its space: 6 of 9 characters
        ("gopher.top_2_gram.max", "a b c a b", 6 / 9),
        # all occur once: the earliest counts, 3 of 5 characters
        ("gopher.top_2_gram.max", "a b c", 3 / 5),
        ("gopher.top_3_gram.max", "a b", 0),
        ("gopher.top_4_gram.max", "a b c d", 1),
        # "abcde" again, without spaces: 5 of 19 characters
        ("gopher.duplicate_5_grams.max", "a b c d e a b c d e", 5 / 19),
        # the second repetition is counted once, though its 5-grams overlap: 10 of 29
        ("gopher.duplicate_5_grams.max", "a b c d e a b c d e a b c d e", 10 / 29),
        ("gopher.duplicate_6_grams.max", "a b c d e a b c d e", 0),
        ("gopher.duplicate_10_grams.max", "x", 0),
    ],
)
def test_values(rule: str, text: str, value: float) -> None:
    assert measure(rule, text) == pytest.approx(value)


def test_the_splitter_decides_about_technical_texts() -> None:
    text = "f(x) = y, g(z) = {a: b};"
    # by white space: f(x) = y, g(z) = {a: b}; where only the two equals signs lack a letter
    assert measure("gopher.alphabetic_words.min", text, "whitespace") == pytest.approx(5 / 7)
    # by marks: f ( x ) = y , g ( z ) = { a : b } ; with 7 letters
    assert measure("gopher.alphabetic_words.min", text) == pytest.approx(7 / 18)


def test_thresholds_are_those_of_the_paper() -> None:
    """Rae et al. 2021, arXiv 2112.11446: A1.1 and table A1."""
    assert {name: rule.threshold for name, rule in RULES.items() if name.startswith("gopher.")} == {
        "gopher.words.min": 50,
        "gopher.words.max": 100_000,
        "gopher.mean_word_length.min": 3,
        "gopher.mean_word_length.max": 10,
        "gopher.hash_ratio.max": 0.1,
        "gopher.ellipsis_ratio.max": 0.1,
        "gopher.bullet_lines.max": 0.9,
        "gopher.ellipsis_lines.max": 0.3,
        "gopher.alphabetic_words.min": 0.8,
        "gopher.stop_words.min": 2,
        "gopher.duplicate_lines.max": 0.30,
        "gopher.duplicate_paragraphs.max": 0.30,
        "gopher.duplicate_line_chars.max": 0.20,
        "gopher.duplicate_paragraph_chars.max": 0.20,
        "gopher.top_2_gram.max": 0.20,
        "gopher.top_3_gram.max": 0.18,
        "gopher.top_4_gram.max": 0.16,
        "gopher.duplicate_5_grams.max": 0.15,
        "gopher.duplicate_6_grams.max": 0.14,
        "gopher.duplicate_7_grams.max": 0.13,
        "gopher.duplicate_8_grams.max": 0.12,
        "gopher.duplicate_9_grams.max": 0.11,
        "gopher.duplicate_10_grams.max": 0.10,
    }
