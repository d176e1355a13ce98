"""C4's line filter and page rules in their three variants."""

from __future__ import annotations

import pytest

from conf.clean import CleanConfig
from pipelines.clean.judge import Judge, Kept, Refused
from pipelines.clean.rules import STEPS
from pipelines.clean.rules.c4 import VARIANTS
from tests.clean.support import measure, stats_of

C4, C4_T5, FINEWEB_C4 = VARIANTS


def filtered(text: str, variant: str) -> str:
    return str(STEPS[f"{variant}.lines"].apply(stats_of(text))[0])


FIVE = "\n".join(f"This is sentence number {i}." for i in range(5))
THREE = "\n".join(f"This is sentence number {i}." for i in range(3))


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        ("It has three.", True),
        ("Only two.", False),
        ("No mark at its end", False),
        ("It trails off...", False),
        ('She said "it is so."', True),
        ("Is this so?", True),
        ("Please enable JavaScript to go on.", False),
        ("Read our Privacy Policy for more.", False),
        ("This site uses cookies everywhere, ok.", False),
        ("Here is " + "a" * 1000 + " it.", True),
        ("Here is " + "a" * 1001 + " it.", False),
        ("  Space around it goes.  ", True),
    ],
)
def test_lines_of_the_paper(line: str, stays: bool) -> None:
    assert filtered(line, "c4") == (line.strip() if stays else "")


def test_variants_differ_in_words_sentences_and_marks() -> None:
    four, five = "Four words it has.", "Five words this line has."
    bare = "no mark at its end"
    text = "\n".join((four, five, bare))
    assert filtered(text, "c4") == f"{four}\n{five}"
    assert filtered(text, "c4-t5") == five
    assert filtered(text, "fineweb-c4") == text
    assert (C4.min_words, C4.min_sentences) == (3, 5)
    assert (C4_T5.min_words, C4_T5.min_sentences) == (5, 3)
    assert (FINEWEB_C4.min_words, FINEWEB_C4.min_sentences) == (3, 5)


def test_citation_marks_go() -> None:
    assert filtered("It is so.[12] And this[citation needed] too.", "c4") == "It is so. And this too."


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("Just one sentence.", 1),
        ("One. Two! Three?", 3),
        ("One. two without a mark", 2),
        ('He said "so." Then he left.', 2),
        ("Version 1.2.3 is out.", 1),
        ("See e.g. this one by J. Doe.", 1),
        ("a b 你好。 再见。", 2),
        # No white space follows an ideographic mark; a letter alone before it is no abbreviation.
        ("你好。再见！ 是。 好", 4),
        ("a b 「行く！」 はい。", 2),
        ("What?! Really now...", 2),
        # Without white space between them, a letter in upper case behind one in lower case tells.
        ("It ended.Then it began again.but not here", 2),
        ("Nobody knows. . . and (so.) # !", 2),
        ("Wait... and see. .. then", 2),
        ("Is it I? Yes.", 2),
        (". . .", 1),
        ("", 0),
    ],
)
def test_sentences(line: str, count: int) -> None:
    assert measure("fineweb-c4.sentences.min", line) == count


@pytest.mark.parametrize(
    ("profile", "text", "rule"),
    [
        ("c4", FIVE, None),
        ("c4", THREE, "c4.sentences.min"),
        ("c4-t5", FIVE, None),
        ("c4-t5", THREE, None),
        ("c4-t5", THREE.replace(" number", ""), "c4-t5.sentences.min"),
        ("c4", FIVE + "\nThis has a { bracket.", "c4.curly_bracket.max"),
        ("c4", FIVE + "\nShort {.", None),
        ("c4", FIVE + "\nIt is Lorem Ipsum dolor.", "c4.lorem_ipsum.max"),
        ("c4", FIVE + "\nA javascript line with a { bracket.", None),
        ("c4", "", "text.visible_characters.min"),
    ],
)
def test_pages(profile: str, text: str, rule: str | None) -> None:
    decision = Judge(CleanConfig(profile=profile)).judge(text)
    assert (decision.rule if isinstance(decision, Refused) else None) == rule


def test_a_page_that_stays_has_only_the_lines_that_stay() -> None:
    decision = Judge(CleanConfig(profile="c4")).judge(f"Menu\n\n{FIVE}\nLog in\n")
    assert isinstance(decision, Kept)
    assert decision.text == FIVE
    assert decision.measures == {"c4.lorem_ipsum.max": 0, "c4.curly_bracket.max": 0, "c4.sentences.min": 5}


def test_without_the_step_the_text_stays_whole() -> None:
    text = f"Menu\n\n{FIVE}\nLog in"
    decision = Judge(CleanConfig(rules=("c4.sentences.min",))).judge(text)
    assert isinstance(decision, Kept)
    assert decision.text == text


def test_rules_behind_the_step_see_the_changed_text() -> None:
    text = "Menu\n" * 20 + FIVE
    before = Judge(CleanConfig(rules=("fineweb.short_lines.max", "c4.lines"))).judge(text)
    after = Judge(CleanConfig(rules=("c4.lines", "fineweb.short_lines.max"))).judge(text)
    assert isinstance(before, Refused)
    # 20 short lines of 25 lines and 5 of 5: the sentences have 26 characters.
    assert before.value == pytest.approx(25 / 25)
    assert isinstance(after, Refused)
    assert after.value == pytest.approx(5 / 5)
    long = FIVE.replace("number", "with the long and winding number")
    kept = Judge(CleanConfig(rules=("c4.lines", "fineweb.short_lines.max"))).judge("Menu\n" * 20 + long)
    assert isinstance(kept, Kept)
    assert kept.measures["fineweb.short_lines.max"] == 0
