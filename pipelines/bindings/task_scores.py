"""Evaluate for a task: what the model says of validation examples beside what is right, and baselines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pipelines.errors import InputError
from pipelines.evaluate.classic import classic_labels
from pipelines.evaluate.classification import score_labels
from pipelines.evaluate.question_answering import likeliest_sentence, score_answers
from pipelines.evaluate.translation import score_translations
from pipelines.features.words import with_words
from pipelines.lake import read_table
from pipelines.run.binding import Given
from ringlake.base.squad import read_questions
from training.inference.opening import open_predictor
from training.inference.options import Options
from training.inference.predictor import Prediction

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row

SHOWN = 10
"""Best and worst outputs that are kept for the report, of each."""

_AT_ONCE = 64
"""Examples between two lines of progress, at least."""

Scores = dict[str, Any]
Example = Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """What the model says of one validation example.

    Attributes:
        row: The example: columns of `corpus`, and what the model was given.
        value: What the model says; empty where it says nothing.
        score: How sure it is; None: it does not say.
        refusal: Why it says nothing; None: it says something.
    """

    row: Example
    value: str
    score: float | None
    refusal: str | None = None


def score_task(given: Given[None], model: str) -> Scores:
    """The scores of the run's task, as JSON values: examples, metrics, baselines, best and worst.

    Args:
        given: What the stage was given.
        model: Folder of the model.

    Raises:
        InputError: There are no validation examples.
    """
    task = _TASKS[given.config.task.name]
    corpus = given.frame("corpus")
    rows = _validation(given, corpus, task)
    if not rows:
        raise InputError(
            "evaluate: the validation split has no examples of the task; raise dedup.validation_fraction"
        )
    told = _ask(given, task, model, rows)
    found = task.score(given, corpus, told)
    refused = Counter(one.refusal for one in told if one.refusal is not None)
    return {"examples": len(told), "not_answered": dict(refused), **found}


def _validation(given: Given[None], corpus: DataFrame, task: _Task) -> list[Example]:
    """Validation examples, at most `evaluate.examples`, chosen by the hash of their ids."""
    rows = corpus.where("split = 'validation'")
    parts: set[tuple[str, int]] = set()
    refused = given.tables.get("refused")
    if refused is not None:
        left = read_table(given.spark, given.context.lake, "refused", refused.version)
        rows = rows.join(left.where("part = 0"), "doc_id", "left_anti")
        questions = left.where("part > 0 and split = 'validation'").select("doc_id", "part")
        parts = {(row["doc_id"], row["part"]) for row in questions.collect()}
    most = given.config.evaluate.examples
    chosen = rows.orderBy(F.xxhash64("doc_id"), "doc_id").limit(most + 1)
    documents = chosen.select("doc_id", "text", "target", "label").collect()
    found = [
        example
        for row in documents
        for part, example in enumerate(task.examples(row), 1)
        if (row["doc_id"], part) not in parts
    ]
    if len(found) > most:
        given.say(f"    {most:,} of the validation examples are asked (evaluate.examples)")
    return found[:most]


def _ask(given: Given[None], task: _Task, model: str, rows: Sequence[Example]) -> list[Told]:
    predictor = open_predictor(task.verb, model, Options(beams=given.config.evaluate.beams))
    told: list[Told] = []
    for low in range(0, len(rows), _AT_ONCE):
        part = rows[low : low + _AT_ONCE]
        for row, answer in zip(part, predictor.predict(part), strict=True):
            if isinstance(answer, Prediction):
                told.append(Told(row, str(answer.value), answer.score))
            else:
                told.append(Told(row, "", None, answer.reason))
        given.say(f"    evaluate: {len(told):,} of {len(rows):,} examples")
    return told


def _classification(given: Given[None], corpus: DataFrame, told: Sequence[Told]) -> Scores:
    wanted = [one.row["label"] for one in told]
    scores = score_labels(wanted, [one.value for one in told], [one.score for one in told])
    train = corpus.where("split = 'train' and label is not null")
    most = train.groupBy("label").count().orderBy(F.desc("count"), "label").first()
    assert most is not None
    majority = score_labels(wanted, [most["label"]] * len(told))
    given.say("    evaluate: words, TF-IDF and logistic regression on the same texts")
    told_of = corpus.select("doc_id", "label", "split")
    words = with_words(corpus, given.config.features).join(told_of, "doc_id")
    classic = classic_labels(
        words.where("split = 'train' and label is not null"), words.where("split = 'validation'")
    )
    simple = score_labels(wanted, [classic[one.row["doc_id"]] for one in told])
    return {
        "metrics": {"accuracy": scores.accuracy, "macro_f1": scores.macro_f1, "ece": scores.ece},
        "baselines": {
            "majority label": {"accuracy": majority.accuracy, "macro_f1": majority.macro_f1},
            "TF-IDF, logistic regression": {"accuracy": simple.accuracy, "macro_f1": simple.macro_f1},
        },
        "labels": list(scores.labels),
        "confusion": [list(row) for row in scores.confusion],
        **_extremes(told, [_sureness(one) for one in told], wanted),
    }


def _sureness(one: Told) -> float:
    """How good an answer is: the confidence in a right label, minus that in a wrong one."""
    sure = one.score or 0.0
    return sure if one.value == one.row["label"] else -sure


def _translation(given: Given[None], corpus: DataFrame, told: Sequence[Told]) -> Scores:
    wanted = [one.row["target"] for one in told]
    scores = score_translations([one.value for one in told], [[text] for text in wanted])
    copied = score_translations([one.row["text"] for one in told], [[text] for text in wanted])
    return {
        "metrics": {"bleu": scores.bleu, "chrf": scores.chrf},
        "baselines": {"the text itself": {"bleu": copied.bleu, "chrf": copied.chrf}},
        "signature": scores.signature,
        **_extremes(told, scores.by_sentence, wanted),
    }


def _question_answering(given: Given[None], corpus: DataFrame, told: Sequence[Told]) -> Scores:
    right = [one.row["answers"] for one in told]
    scores = score_answers([one.value for one in told], right)
    sentences = [likeliest_sentence(one.row["question"], one.row["context"]) for one in told]
    guesses = {"the sentence with most of its words": score_answers(sentences, right)}
    if not all(right):
        guesses["no answer"] = score_answers([""] * len(told), right)
    return {
        "metrics": {"exact_match": scores.exact_match, "f1": scores.f1},
        "baselines": {
            name: {"exact_match": guess.exact_match, "f1": guess.f1} for name, guess in guesses.items()
        },
        **_extremes(told, scores.by_question, [" / ".join(dict.fromkeys(texts)) for texts in right]),
    }


def _as_it_is(row: Row) -> list[Example]:
    return [row.asDict()]


def _questions(row: Row) -> list[Example]:
    """Each question with the context; what cleaning took out of the context is no right answer any more."""
    return [
        {
            "doc_id": row["doc_id"],
            "text": f"{one.question}\n\n{row['text']}",
            "question": one.question,
            "context": row["text"],
            "answers": [answer.text for answer in one.answers if answer.text in row["text"]],
        }
        for one in read_questions(row["label"])
    ]


def _extremes(told: Sequence[Told], goodness: Sequence[float], wanted: Sequence[str]) -> Scores:
    """The best and the worst outputs."""
    order = sorted(range(len(told)), key=lambda place: (goodness[place], told[place].row["doc_id"]))
    return {
        name: [
            {
                "text": told[place].row["text"],
                "prediction": told[place].value,
                "wanted": wanted[place],
                "goodness": goodness[place],
            }
            for place in places
        ]
        for name, places in (("best", order[: -SHOWN - 1 : -1]), ("worst", order[:SHOWN]))
    }


@dataclass(frozen=True)
class _Task:
    """How a task is scored.

    Attributes:
        verb: What its model is asked for.
        score: Metrics, baselines and examples, given the answers.
        examples: The examples of a row of `corpus`, in order.
    """

    verb: str
    score: Callable[[Given[None], DataFrame, Sequence[Told]], Scores]
    examples: Callable[[Row], list[Example]] = _as_it_is


_TASKS: Mapping[str, _Task] = {
    "classification": _Task("classify", _classification),
    "translation": _Task("translate", _translation),
    "question-answering": _Task("answer", _question_answering, _questions),
}

SCORED = frozenset(_TASKS)
"""Tasks whose answers are compared with what is right; the others have the loss of their sequences."""
