"""Questions as examples: windows cover the context, answers are at exactly their tokens."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from pipelines.tokenize.examples import Refusal, Row, Several, Words
from pipelines.tokenize.frame import framed
from pipelines.tokenize.questions import Questions
from ringlake.base.squad import Answer, Question, write_questions
from schemas.token_ids import BEGINS, ID_BITS, LEARNED

END = "<|end|>"
CONTEXT = "The fox sleeps under the old tree. 狐狸在树下睡觉。 A dog barks at the moon, café or not."


@pytest.fixture(scope="module")
def content() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([CONTEXT] * 20, trainer)
    tokenizer.add_special_tokens([AddedToken(END, special=True)])
    return framed(tokenizer.to_str(), "END $A END", END)


def label(*asked: tuple[str, str | None]) -> str:
    return write_questions(
        Question(str(number), question, () if answer is None else (Answer(answer, CONTEXT.find(answer)),))
        for number, (question, answer) in enumerate(asked)
    )


def make(
    content: str, text: str, label: str | None, max_tokens: int = 255, stride: int = 128, most: int = 1000
) -> Several:
    (found,) = Questions(content, max_tokens, stride, most).make([Row(text, None, label)])
    return found if isinstance(found, Several) else Several([], [found] if isinstance(found, Refusal) else [])


def told(content: str, words: Words) -> tuple[str, int, int]:
    """The text between the learned places of a window, and those."""
    ids, learned = words & ID_BITS, words & LEARNED != 0
    assert learned.tolist() == [False] * (len(words) - 2) + [True] * 2
    assert (words & BEGINS != 0).tolist() == [True] + [False] * (len(words) - 1)
    start, stop = ids[-2:].tolist()
    return Tokenizer.from_str(content).decode(ids[start : stop + 1].tolist()), start, stop


@pytest.mark.parametrize(
    "answer", ["fox", "under the old tree", "树下", "睡", "The fox", "or not.", "café", "oon"]
)
def test_the_learned_tokens_are_those_of_the_answer(content: str, answer: str) -> None:
    found = make(content, CONTEXT, label(("Who?", answer)))
    assert not found.refused
    (words,) = found.words
    text, _, _ = told(content, words)
    # The tokens around it: as few as hold it all.
    assert answer in text.replace("�", "") or "�" in text
    assert len(text.strip()) <= len(answer) + 8


@pytest.mark.parametrize(("max_tokens", "stride"), [(40, 8), (40, 100), (64, 1), (200, 128)])
def test_windows_cover_the_context_and_overlap(content: str, max_tokens: int, stride: int) -> None:
    tokenizer = Tokenizer.from_str(content)
    context = tokenizer.encode(CONTEXT, add_special_tokens=False).ids
    asked = tokenizer.encode("Who?", add_special_tokens=False).ids
    found = make(content, CONTEXT, label(("Who?", "fox"), ("Who?", None)), max_tokens, stride)
    parts = []
    for words in found.words[: len(found.words) // 2]:
        ids = (words & ID_BITS)[:-2].tolist()
        head = len(asked) + 2
        assert ids[1 : 1 + len(asked)] == asked
        parts.append(ids[head:-1])
        assert len(words) <= max_tokens
    room = max_tokens - 2 - 3 - len(asked)
    step = room - min(stride, room // 2)
    covered = [
        token for number, part in enumerate(parts) for token in part[0 if not number else room - step :]
    ]
    assert covered == context
    places = [told(content, words)[1:] for words in found.words]
    held = [place for place in places[: len(parts)] if place != (0, 0)]
    assert held
    assert places[len(parts) :] == [(0, 0)] * len(parts)


def test_an_answer_that_cleaning_moved_is_found_nearest_to_its_place(content: str) -> None:
    text = "fox. " + CONTEXT
    (words,) = make(content, text, label(("Who?", "fox"))).words
    _, start, _ = told(content, words)
    tokens = Tokenizer.from_str(content).encode("Who?", add_special_tokens=False).ids
    # The first of both, which is nearer to character 4.
    assert start == len(tokens) + 2


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("Who?", "cat", "answer_not_in_context"),
        (" \u200b", "fox", "empty_side"),
        ("Who is it? " * 40, "fox", "too_long"),
    ],
)
def test_a_bad_question_is_refused_and_the_others_stay(
    content: str, question: str, answer: str, reason: str
) -> None:
    found = make(content, CONTEXT, label(("Where?", "tree"), (question, answer), ("Who?", "dog")), 120)
    assert [(one.reason, one.part) for one in found.refused] == [(reason, 2)]
    assert {told(content, words)[0].strip() for words in found.words} >= {"tree", "dog"}
    alone = make(content, CONTEXT, label((question, answer)), 120)
    assert [(one.reason, one.part) for one in alone.refused] == [(reason, 1), (reason, 0)]
    assert not alone.words


def test_answers_longer_than_what_windows_share_are_refused(content: str) -> None:
    found = make(content, CONTEXT, label(("Who?", CONTEXT[10:80])), 30, 4)
    assert [one.reason for one in found.refused] == ["answer_too_long"] * 2


def test_long_contexts_and_many_questions_are_bounded(content: str) -> None:
    found = make(content, "fox dog " * 100_000, label(("Who?", "fox")))
    assert [(one.reason, one.part) for one in found.refused] == [("too_long", 1), ("too_long", 0)]
    assert "windows" in found.refused[0].detail
    many = make(content, CONTEXT, label(*[("Who?", "fox")] * 30), most=10)
    assert len(many.words) == 10
    assert [one.part for one in many.refused] == list(range(11, 31))


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "good",
        "[]",
        '[{"id": 1}]',
        '{"a": 1}',
        "[" * 5000,
        '[{"id":"1","question":"q","answers":[{}]}]',
    ],
)
def test_what_is_no_label_of_questions_is_refused(content: str, given: str | None) -> None:
    assert [one.reason for one in make(content, CONTEXT, given).refused] == ["no_question"]


def test_a_text_that_spells_the_special_token_stays_text(content: str) -> None:
    text = f"fox {END} dog"
    (words,) = make(
        content, text, write_questions([Question("1", f"{END}?", (Answer("dog", text.find("dog")),))])
    ).words
    end = Tokenizer.from_str(content).token_to_id(END)
    assert np.count_nonzero((words & ID_BITS)[:-2] == end) == 3
    assert told(content, words)[0].strip() == "dog"
