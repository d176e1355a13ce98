"""Every value of every rule, and every text that a step leaves, equals the plain definition on `str`."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.clean.rules import RULES, STEPS
from pipelines.clean.stats import BatchStats
from pipelines.clean.words import SPLITTERS
from pipelines.text.code_points import LINE_BREAKS, TABLE_SIZE, character_kinds, decode, encode
from tests.clean import oracle
from tests.support.corpus import docstrings

# What rules look for, and what is easily got wrong around it.
PIECES = st.sampled_from(
    [
        *("word", "the", "with", "to be", " ", "  ", "\t", "\n", "\n\n", "\n\n\n", "\n \n", "\u3000", "\xa0"),
        *("\r\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\x00", "\x1f"),
        *(". ", ".", "..", "...", "…", "....", "?!", '." ', ".)", "e.g. ", "a.b", "x. ", "_. ", "1. ", "é. "),
        *("- ", "• ", "#", "##", "{", "}", "[1]", "[", "]", "[edit]", "[citation needed]", "[12", "[٣]"),
        *("lorem ipsum", "Lorem İpsum", "JavaScript", "java[1]script", "terms of use", "coo\u212aies use "),
        *("use cookies", "uses cookies", "use of Cookies", "privacy policy", "Cookie Policy", "don't"),
        *(">>> f(1)", "... go", "...", "| a | b |", "+--+", "===", "In [1]:", "$ ls", "%time x", "%"),
        *("f(x) -> int", "def f(a, b=(1, 2)):", "class A(B): pass", "f.g(((1)))", "f()", "def (a)", "g(a) b"),
        *(
            "你好世界",
            "文。",
            "はい。",
            "「行く。」",
            "是！",
            "สวัสดีครับ",
            "ภาษา",
            "မြန်မာ",
            "ខ្មែរ",
            "ລາວ",
            "한국어",
        ),
        *(
            "\u0301",
            "e\u0301",
            "İ",
            "ß",
            "😀",
            "𐐷",
            "𝒳",
            "\U000e0100",
            "\uffff",
            "²",
            "Ⅷ",
            "٣",
            "１",
            "_",
            "a_b",
        ),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=120),
    st.lists(PIECES, max_size=60).map("".join),
    # Few different words, so that n-grams repeat, with and without spaces between the same characters.
    st.lists(st.sampled_from(["a", "b", "ab", "ba", "aa", " ", " ", " ", "\n", "."]), max_size=150).map(
        "".join
    ),
    st.lists(st.sampled_from(["one", "two", "three", "four", " ", " ", " ", " "]), max_size=150).map("".join),
    st.lists(st.sampled_from(["x y", " x y", "x y ", "z", "", "", " "]), max_size=30).map("\n".join),
)

CASES = [
    *(
        "",
        " ",
        "\n",
        "\n\n\n",
        "word",
        "...",
        "....",
        "#",
        "•",
        "文",
        "\u0301",
        "\x00",
        "a\n" * 3,
        "\r\n" * 3,
    ),
    *(character.join(["one two.", "one two.", ""]) for character in LINE_BREAKS),
    *("x" * 10_000, "a " * 3_000, "abc def " * 500, "." * 5_000, "\n" * 5_000, "ab\n" * 2_000),
    *("a " + "x" * 1000 + " b", "a " + "x" * 1001 + " b", "😀" * 1000 + " 😀 😀.", "[" * 500 + "1]" * 500),
    " ".join(f"w{i % 97} {i % 89}" for i in range(3_000)),
    "f(" + "(a), " * 1_000 + ")",
]

# Languages and the user's lists are no kernels: they have tests of their own.
MEASURED = [name for name in RULES if not name.startswith(("language.", "blocklist."))]
CHANGED = {name: step for name, step in STEPS.items() if not name.startswith("boilerplate.")}


def check(texts: list[str], splitter: str) -> None:
    stats = BatchStats(pa.array(texts, pa.large_string()), splitter)
    plain = [oracle.TextStats(text, splitter) for text in texts]
    for row, one in enumerate(plain):
        first, last = stats.words.bounds[row : row + 2]
        words = [
            stats.characters.codes[start:end].tobytes().decode("utf-32-le")
            for start, end in zip(stats.words.starts[first:last], stats.words.ends[first:last], strict=True)
        ]
        assert words == one.words, repr(one.text)
    for name in MEASURED:
        found = RULES[name].measure(stats)
        for row, one in enumerate(plain):
            assert found[row] == float(oracle.RULES[name](one)), (name, one.text)
    for name, step in CHANGED.items():
        assert step.apply(stats).to_pylist() == [oracle.STEPS[name](one) for one in plain], name


def test_the_oracle_knows_every_rule_and_step() -> None:
    assert set(oracle.RULES) == set(MEASURED)
    assert set(oracle.STEPS) == set(CHANGED)
    assert set(oracle.SPLITTERS) == set(SPLITTERS)


@pytest.mark.parametrize("splitter", sorted(SPLITTERS))
def test_cases(splitter: str) -> None:
    check(CASES, splitter)


@settings(max_examples=400)
@given(st.lists(TEXTS, min_size=1, max_size=3), st.sampled_from(sorted(SPLITTERS)))
@example(["ab c d e f ab cd e f", "a b c d e a b c d e"], "word_or_punct")
def test_random_texts(texts: list[str], splitter: str) -> None:
    check(texts, splitter)


def test_a_hundred_thousand_words() -> None:
    check([" ".join(f"word{i % 977} and the" for i in range(33_334))], "word_or_punct")


def test_docstrings() -> None:
    check(docstrings(1)[::4], "word_or_punct+icu")
    check(docstrings(1)[1::16], "whitespace")


def test_real_corpora(shared_data: Path) -> None:
    texts = [
        json.loads(line)["text"]
        for file in ("multilingual/udhr2.jsonl", "web/ground_truth.jsonl")
        for line in (shared_data / file).read_text(encoding="utf-8").splitlines()
    ]
    with gzip.open(shared_data / "sentiment" / "zh_reviews.tsv.gz", "rt", encoding="utf-8") as file:
        reviews = [line.rstrip("\n").split("\t")[1] for line in file]
    plays = (shared_data / "text" / "tinyshakespeare.txt").read_text(encoding="utf-8")
    for sample in (texts[::3], reviews[::100], plays.split("\n\n")[::40], [plays[:200_000]]):
        check(sample, "word_or_punct+icu")


def test_kinds_and_code_points_of_every_character() -> None:
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
    characters = decode(pa.array(["".join(every)], pa.large_string()))
    assert characters.codes.tobytes().decode("utf-32-le") == "".join(every)
    assert encode(characters.codes, characters.bounds).to_pylist() == ["".join(every)]
    # Beyond the table no character is of any kind.
    tail = "".join(map(chr, range(TABLE_SIZE, 0x110000)))
    assert not re.search(r"[\w\s]", tail)
    assert character_kinds().size == TABLE_SIZE


def test_only_these_characters_become_ascii_in_lower_case() -> None:
    """The kernel for C4's phrases knows no other."""
    every = [chr(code) for code in range(0x80, 0x110000) if not 0xD800 <= code <= 0xDFFF]
    assert [char for char in every if char.lower().isascii()] == ["\u212a"]
    # In others ASCII stands before something else, so that no phrase goes on behind it.
    assert [char for char in every if not char.lower().isascii() and char.lower()[0].isascii()] == ["İ"]
