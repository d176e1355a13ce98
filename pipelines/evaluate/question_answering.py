"""Scores of answers: exact match and F1 of words, by the definition of SQuAD's own script.

Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text" (EMNLP 2016), section 6.1:
answers are compared in lower case, without punctuation and the English articles; the best of the right
answers counts. Text of scripts that write no spaces is compared by character (Cui et al., "A Span-Extraction
Dataset for Chinese Machine Reading Comprehension", EMNLP 2019, section 3.5).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")

_ALONE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Characters that are compared one by one: Chinese ones and Japanese syllables."""

_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])|\n")


@dataclass(frozen=True)
class AnswerScores:
    """How well questions were answered.

    Attributes:
        exact_match: Percentage of answers that are right to the letter.
        f1: Mean F1 of the words of an answer, 0 to 100.
        by_question: F1 of each, 0 to 1.
    """

    exact_match: float
    f1: float
    by_question: tuple[float, ...]


def score_answers(told: Sequence[str], right: Sequence[Sequence[str]]) -> AnswerScores:
    """The scores of some answers.

    Args:
        told: What a model told, one a question, at least one; empty: that there is no answer.
        right: All that is right for each; none: there is no answer.

    >>> score_answers(["The fox"], [["a fox", "dogs"]]).exact_match
    100.0
    """
    exact, overlap = [], []
    for answer, wanted in zip(told, right, strict=True):
        words = answer_words(answer)
        choices = [answer_words(text) for text in wanted] or [[]]
        exact.append(max(words == choice for choice in choices))
        overlap.append(max(_f1(words, choice) for choice in choices))
    return AnswerScores(
        exact_match=100 * sum(exact) / len(exact),
        f1=100 * sum(overlap) / len(overlap),
        by_question=tuple(overlap),
    )


def answer_words(text: str) -> list[str]:
    """The words by which answers are compared.

    >>> answer_words("The Fox's 北京, 1990!")
    ['foxs', '北', '京', '1990']
    """
    kept = "".join(char for char in text.lower() if not unicodedata.category(char).startswith("P"))
    return _ALONE.sub(r" \g<0> ", _ARTICLES.sub(" ", kept)).split()


def likeliest_sentence(question: str, context: str) -> str:
    """What one could answer without a model: the sentence that shares most words with the question.

    The method is the simplest of the baselines of Richardson et al., "MCTest" (EMNLP 2013), section 5.1. Of
    several the first is taken.

    >>> likeliest_sentence("Who sleeps?", "A dog barks. The fox sleeps.")
    'The fox sleeps.'
    """
    asked = set(answer_words(question))
    sentences = [found for part in _BETWEEN_SENTENCES.split(context) if (found := part.strip())]
    return max(sentences, key=lambda one: len(asked & set(answer_words(one))), default="")


def _f1(told: Sequence[str], wanted: Sequence[str]) -> float:
    if not told or not wanted:
        return float(list(told) == list(wanted))
    shared = sum((Counter(told) & Counter(wanted)).values())
    return 2 * shared / (len(told) + len(wanted))
