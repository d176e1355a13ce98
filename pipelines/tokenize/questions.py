"""Examples of question answering: a question, a window of its context, and where in it the answer stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.task import TaskConfig
from pipelines.text.blank import is_blank
from pipelines.tokenize.examples import ExampleMaker, Outcome, Refusal, Row, Several, Words
from ringlake.base.squad import Answer, Question, place_answer, read_questions

PLACES = 2
"""Numbers behind a window that are to be learned: the tokens that an answer begins and ends with."""

LEAST_ROOM = 16
"""A question that leaves fewer tokens of a window for the context is refused."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Text:
    """A text and its tokens, without a frame.

    Attributes:
        text: The text.
        ids: Its token ids.
        starts: First character of each token.
        ends: The character behind each.
    """

    text: str
    ids: Words
    starts: Ints
    ends: Ints


@dataclass(frozen=True)
class _Windows:
    """How a context is divided for a question.

    Attributes:
        room: Tokens of the context in a window.
        step: Tokens from the beginning of a window to that of the next.
        count: Windows.
    """

    room: int
    step: int
    count: int


class Questions(ExampleMaker):
    """Every question of a document with each window of the document's text.

    An answer that cleaning moved is looked for nearest to its place. A window that does not hold the whole
    answer, like those of a question without one, is to be answered by its first token, which frames it.

    Args:
        content: See `ExampleMaker`.
        max_tokens: See `ExampleMaker`.
        stride: Tokens of the context that neighbouring windows share, at most half of those of a window.
        max_windows: Most windows of all questions of a document, and most questions.
    """

    rows_at_once = 50  # A document can have task.max_windows examples.

    def __init__(self, content: str, max_tokens: int, stride: int, max_windows: int) -> None:
        super().__init__(content, max_tokens)
        self._stride, self._max_windows = stride, max_windows
        self._before, self._between, self._after = self._frame()

    def make(self, rows: Sequence[Row]) -> list[Outcome]:
        """The examples, or why there is none, for each row."""
        return [self._document(row) for row in rows]

    def _document(self, row: Row) -> Outcome:
        try:
            questions = read_questions(row.label or "")
        except ValueError as error:
            return Refusal("no_question", str(error))
        context = self._encode(row.text)
        kept: list[Words] = []
        refused: list[Refusal] = []
        for number, question in enumerate(questions, 1):
            found = self._examples(context, question, number, self._max_windows - len(kept))
            if isinstance(found, Refusal):
                detail = f"question {question.id!r:.80}: {found.detail}"
                refused.append(found._replace(part=number, detail=detail))
            else:
                kept += found
        if not kept:
            detail = f"none of its {len(questions):,} questions can be learned; {refused[0].detail}"
            refused.append(Refusal(refused[0].reason, detail))
        return Several(kept, refused)

    def _examples(self, context: _Text, question: Question, number: int, most: int) -> list[Words] | Refusal:
        """The windows of a question, at most so many."""
        if is_blank(question.question):
            return Refusal("empty_side", "it is empty or white space")
        if number > self._max_windows:
            return Refusal("too_long", f"the document has more than task.max_windows = {self._max_windows:,}")
        asked = self._encode(question.question)
        windows = self._divide(context, asked, most)
        if isinstance(windows, Refusal):
            return windows
        span = _tokens_of(context, question.answers) if question.answers else None
        if isinstance(span, Refusal):
            return span
        found = list(self._windows(context, asked, windows, span))
        if span is not None and not any(held for _, held in found):
            shared = windows.room - windows.step
            return Refusal(
                "answer_too_long",
                f"no window of {windows.room:,} tokens holds all {span[1] - span[0]:,} of its answer; "
                f"neighbours share {shared:,}: raise task.stride or task.max_tokens",
            )
        return [words for words, _ in found]

    def _divide(self, context: _Text, asked: _Text, most: int) -> _Windows | Refusal:
        frame = len(self._before) + len(self._between) + len(self._after)
        room = self.max_tokens - PLACES - frame - len(asked.ids)
        if room < LEAST_ROOM:
            return Refusal(
                "too_long",
                f"its {len(asked.ids):,} tokens leave {max(room, 0)} of task.max_tokens = "
                f"{self.max_tokens:,} for the context, which needs {LEAST_ROOM}",
            )
        step = room - min(self._stride, room // 2)
        count = 1 + max(0, -(-(len(context.ids) - room) // step))
        if count > most:
            return Refusal(
                "too_long",
                f"its context of {len(context.ids):,} tokens gives {count:,} windows, but {max(most, 0):,} "
                f"are left to the document of task.max_windows = {self._max_windows:,}",
            )
        return _Windows(room, step, count)

    def _windows(
        self, context: _Text, asked: _Text, windows: _Windows, span: tuple[int, int] | None
    ) -> Iterator[tuple[Words, bool]]:
        """The windows as words, and whether they hold the answer."""
        head = np.concatenate([self._before, asked.ids, self._between])
        for number in range(windows.count):
            first = number * windows.step
            part = context.ids[first : first + windows.room]
            places, held = [0, 0], False
            if span is not None and first <= span[0] and span[1] <= first + len(part):
                places, held = [len(head) + place - first for place in (span[0], span[1] - 1)], True
            made = self.joined(np.concatenate([head, part, self._after]), np.array(places, np.uint32))
            assert not isinstance(made, Refusal), "a window is longer than task.max_tokens"
            yield made, held

    def _frame(self) -> tuple[Words, Words, Words]:
        """What the tokenizer puts before a question, between it and the context, and behind the context."""
        whole = self._tokenizer.encode("a", "b", add_special_tokens=True)
        ids = np.array(whole.ids, np.uint32)
        sides = np.array([-1 if side is None else side for side in whole.sequence_ids])
        first, second = np.flatnonzero(sides == 0), np.flatnonzero(sides == 1)
        return ids[: first[0]], ids[first[-1] + 1 : second[0]], ids[second[-1] + 1 :]

    def _encode(self, text: str) -> _Text:
        found = self._tokenizer.encode(text, add_special_tokens=False)
        ids = np.array(found.ids, np.uint32)
        self.check_text(ids)
        starts, ends = np.array(found.offsets, np.int64).reshape(-1, 2).T
        return _Text(text, ids, starts, ends)


def _tokens_of(context: _Text, answers: Sequence[Answer]) -> tuple[int, int] | Refusal:
    """The tokens (from, to) of the first answer that is there."""
    for answer in answers:
        place = place_answer(context.text, answer.text, answer.start)
        if place is not None:
            first = int(np.searchsorted(context.ends, place, "right"))
            stop = int(np.searchsorted(context.starts, place + len(answer.text), "left"))
            if first < stop:
                return first, stop
    return Refusal(
        "answer_not_in_context", f"its answer {answers[0].text!r:.80} is not in the context any more"
    )


def facts_of_questions(corpus: DataFrame, _config: TaskConfig) -> dict[str, Any]:
    """Whether questions of the training split may have no answer; that a document has several examples."""
    train = corpus.where("split = 'train'")
    empty = train.where(F.col("label").rlike(r'"answers"\s*:\s*\[\s*\]')).limit(1).count()
    return {"no_answer": bool(empty), "several": True}
