"""Questions of a context: as a label holds them, and where an answer stands once a context was changed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """An answer.

    Attributes:
        text: What it is.
        start: Where it stood in the context as it was read, in characters (code points).
    """

    text: str
    start: int


class Question(NamedTuple):
    """A question about a context.

    Attributes:
        id: Its own name.
        question: What is asked.
        answers: All that is right; empty: the context does not answer it.
    """

    id: str
    question: str
    answers: tuple[Answer, ...]


def write_questions(questions: Iterable[Question]) -> str:
    """Questions as the label of their context: a JSON list of objects with id, question and answers.

    >>> write_questions([Question("1", "Who?", (Answer("the fox", 4),))])
    '[{"id":"1","question":"Who?","answers":[{"text":"the fox","start":4}]}]'
    """
    rows = [
        {"id": one.id, "question": one.question, "answers": [answer._asdict() for answer in one.answers]}
        for one in questions
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def read_questions(label: str) -> tuple[Question, ...]:
    """The questions that a label holds.

    Raises:
        ValueError: It holds none, or something else.
    """
    try:
        rows = json.loads(label)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its label is no JSON: {error!s:.200}") from None
    if not isinstance(rows, list) or not rows:
        raise ValueError(
            "its label is no list of questions; read question answering with ingest.format squad"
        )
    return tuple(_question(row, number) for number, row in enumerate(rows, 1))


def _question(row: Any, number: int) -> Question:
    fields = row if isinstance(row, dict) else {}
    name, question, answers = (fields.get(key) for key in ("id", "question", "answers"))
    if not isinstance(name, str) or not isinstance(question, str) or not isinstance(answers, list):
        raise ValueError(
            f"question {number} of its label has no strings 'id' and 'question' and list 'answers'"
        )
    return Question(name, question, tuple(_answer(answer, number) for answer in answers))


def _answer(row: Any, number: int) -> Answer:
    fields = row if isinstance(row, dict) else {}
    text, start = fields.get("text"), fields.get("start")
    if not isinstance(text, str) or not isinstance(start, int) or isinstance(start, bool):
        raise ValueError(
            f"an answer of question {number} of its label has no string 'text' and number 'start'"
        )
    return Answer(text, start)


def place_answer(context: str, answer: str, start: int) -> int | None:
    """Where an answer begins in a context: at its place, else at the occurrence nearest to it.

    Cleaning shortens a context here and there, so that what was found at a place stands some characters
    before it. Of two occurrences equally near the earlier one is taken. The time is linear in the context.

    Args:
        context: The text, perhaps repaired and redacted since.
        answer: What is looked for.
        start: Where it stood, in characters (code points).

    Returns:
        Its place in characters; None where it does not occur or is empty.

    Example:
        >>> place_answer("to be or not to be", "be", 15)
        16
    """
    if not answer:
        return None
    start = min(max(start, 0), len(context))
    if context.startswith(answer, start):
        return start
    after = context.find(answer, start)
    # Backwards by turning both round: str.rfind takes quadratic time for some answers, str.find never does.
    head = context[: start + len(answer) - 1]
    turned = head[::-1].find(answer[::-1])
    before = -1 if turned < 0 else len(head) - turned - len(answer)
    if after < 0 or before < 0:
        return max(after, before) if max(after, before) >= 0 else None
    return before if start - before <= after - start else after


def only_place(context: str, answer: str) -> int | None:
    """Where an answer begins in a context if it occurs exactly once there, overlapping itself included."""
    first = context.find(answer) if answer else -1
    return None if first < 0 or context.find(answer, first + 1) >= 0 else first
