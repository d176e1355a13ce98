"""The documentation profile: what it keeps and what it turns away."""

from __future__ import annotations

import pytest

from conf.clean import CleanConfig
from pipelines.clean.judge import Judge, Refused
from tests.clean.support import measure, stats_of


def words_of_prose(line: str) -> int:
    return int(measure("documentation.prose_words.min", line))


JUDGE = Judge(CleanConfig(profile="documentation"))

USEFUL = [
    "Return the number of words.",
    "Encode obj as JSON.\n\n>>> dumps({})\n'{}'\n>>> dumps([])\n'[]'\n",
    "Parameters\n----------\nx : array_like\n    Input array of numbers to be sorted.\n",
    "# ringlake\n\n[![badge](https://example.org/a.svg)](https://example.org)\n\nTurns text into models.\n",
    "Return True if expr is bounded.\n\n+---+---+\n|   |   |\n+---+---+\n|   |   |\n+---+---+\n",
    "lock(name, timeout=None) -> bool\n\nWait until the lock of that name is free.",
]

JUNK = {
    "text.visible_characters.min": ["", "\n\u200b \ufeff"],
    "documentation.prose_words.min": [
        "Base API.",
        "od.clear() -> None",
        ">>> 1 + 1\n2\n>>> 2 + 2\n4",
        "+----+----+\n| ab | cd |\n+----+----+",
        "make_node(kind: str, line: int, children: list) -> Node",
        "=====================\n~~~~~~~~~~~~~~~~~~",
        "x1 x2 x3 y1 y2 y3 z1 z2 z3",
    ],
    "documentation.prose.min": ["Example of two lines.\n" + ">>> compute(1, 2, 3, 4)\n1234\n" * 30],
    "documentation.repeated_prose.max": ["Set the value of this option.\n" * 4],
    "documentation.mean_word_length.max": ["Taken from https://example.org/" + "a-long-path/" * 12],
    "language.foreign_score.max": [
        "Diese Funktion gibt die Anzahl der Wörter zurück, die in der Zeichenkette gefunden wurden, "
        "und wirft eine Ausnahme, wenn keine gefunden wurden.",
        "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
    ],
}


@pytest.mark.parametrize("text", USEFUL)
def test_useful_documentation_stays(text: str) -> None:
    decision = JUDGE.judge(text)
    assert not isinstance(decision, Refused), decision


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in JUNK.items() for text in texts])
def test_junk_goes(rule: str, text: str) -> None:
    decision = JUDGE.judge(text)
    assert isinstance(decision, Refused)
    assert decision.rule == rule


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("Return the name of it.", 5),
        ("    indented text is fine", 4),
        ("- a list item as well", 4),
        ("# A heading in Markdown", 3),
        (":param name: what it is called", 6),
        ("one", 0),
        (">>> run the example", 0),
        ("... and go on here", 0),
        ("...and so on it goes", 5),
        (".. deprecated:: since version two", 0),
        ("| a table | of words |", 0),
        ("f(x, key=None) -> bool or None", 0),
        ("class Widget(object, metaclass=Meta):", 0),
        ("aa bb 1234567 89", 0),
        ("$ ringlake run it now", 0),
    ],
)
def test_lines_of_prose(line: str, count: int) -> None:
    assert words_of_prose(line) == count


def test_shares_are_of_characters() -> None:
    prose, code = "Return the sum.", ">>> f(1)"
    text = f"{prose}\n\n{code}\n{prose}\n"
    stats = stats_of(text)
    found = stats.prose
    counts = (found.num_words, found.num_chars, found.num_repeated_chars, stats.lines.filled_chars)
    assert [each.tolist() for each in counts] == [[6], [30], [15], [38]]
    assert measure("documentation.prose.min", text) == pytest.approx(30 / 38)
    assert measure("documentation.repeated_prose.max", text) == pytest.approx(15 / 30)
    assert measure("documentation.mean_word_length.max", "ab cdef", "whitespace") == 3


def test_long_lines_of_brackets_take_linear_time() -> None:
    assert words_of_prose("name(" + "(a, b), " * 50_000) == 0
    assert words_of_prose("some words " + "(" * 200_000) == 0
