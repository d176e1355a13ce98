"""Exact match and F1 of answers: worked by hand from the definition."""

from __future__ import annotations

import pytest

from pipelines.evaluate.question_answering import answer_words, likeliest_sentence, score_answers


@pytest.mark.parametrize(
    ("told", "right", "exact", "f1"),
    [
        ("the Fox!", ["fox"], 100, 100),
        ("a red fox", ["the fox"], 0, 200 / 3),
        ("red fox", ["dog", "red fox cub"], 0, 80),
        ("fox fox", ["fox"], 0, 200 / 3),
        ("", [], 100, 100),
        ("fox", [], 0, 0),
        ("", ["fox"], 0, 0),
        ("the", [], 100, 100),
        ("在北京市", ["北京"], 0, 200 / 3),
        ("《北京》。", ["北京"], 100, 100),
        ("1990年", ["1990 年"], 100, 100),
        ("theatre", ["atre"], 0, 0),
    ],
)
def test_scores(told: str, right: list[str], exact: float, f1: float) -> None:
    found = score_answers([told], [right])
    assert found.exact_match == exact
    assert found.f1 == pytest.approx(f1)
    assert found.by_question == pytest.approx([f1 / 100])


def test_the_mean_is_over_the_questions() -> None:
    found = score_answers(["fox", "dog", ""], [["fox"], ["fox"], []])
    assert (found.exact_match, found.f1) == pytest.approx((200 / 3, 200 / 3))


def test_punctuation_of_any_script_is_left_out() -> None:
    assert answer_words("“Fox”、狐 — (cub)…") == ["fox", "狐", "cub"]


@pytest.mark.parametrize(
    ("question", "context", "sentence"),
    [
        (
            "Who sleeps in the sun?",
            "A dog barks. The cat sleeps in the sun.  It rains.",
            "The cat sleeps in the sun.",
        ),
        ("谁在睡觉？", "狗在叫。猫在睡觉。下雨了。", "猫在睡觉。"),
        ("How tall is it?", "It weighs 3.5 kg. It is 1.2 m tall", "It is 1.2 m tall"),
        ("Who?", "", ""),
    ],
)
def test_the_sentence_that_shares_most_words(question: str, context: str, sentence: str) -> None:
    assert likeliest_sentence(question, context) == sentence
