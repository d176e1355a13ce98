"""Evaluate for a task: what the model says of validation examples beside what is right, and baselines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from pipelines.bindings.scores import finite
from pipelines.errors import InputError
from pipelines.evaluate.scores import Asked, Example, Metrics, Scored, TaskScores, Told
from pipelines.features.words import with_words
from pipelines.lake import read_table
from pipelines.run.binding import Given
from ringlake.base.tasks import TaskKind, part_of
from training.inference.opening import open_predictor
from training.inference.options import Options
from training.inference.predictor import Prediction

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SHOWN = 10
"""Best and worst outputs that are kept for the report, of each."""

_AT_ONCE = 64
"""Examples between two lines of progress, at least."""


def score_task(given: Given[None], kind: TaskKind, model: str) -> dict[str, Any]:
    """The scores of a task, as JSON values: examples, metrics, baselines, best and worst.

    Args:
        given: What the stage was given.
        kind: The task.
        model: Folder of the model.

    Raises:
        InputError: There are no validation examples.
        ExtensionError: What another package scores with cannot be used.
    """
    task: TaskScores = part_of(kind, "scores", TaskScores)
    corpus = given.frame("corpus")
    rows = _validation(given, corpus, task)
    if not rows:
        raise InputError(
            "evaluate: the validation split has no examples of the task; raise dedup.validation_fraction"
        )
    told: list[Told] = []
    for one in _ask(given, kind, model, rows) if task.ask is None else task.ask(model, rows):
        told.append(one)
        if len(told) % _AT_ONCE == 0 or len(told) == len(rows):
            given.say(f"    evaluate: {len(told):,} of {len(rows):,} examples")
    if len(told) != len(rows):
        raise ValueError(f"task {kind.name!r} told {len(told)} answers of {len(rows)} examples")
    words = partial(with_words, corpus, given.config.features)
    found = task.score(Asked(told, corpus, given.config, given.say, words))
    refused = Counter(one.refusal for one in told if one.refusal is not None)
    return {"examples": len(told), "not_answered": dict(refused), **_as_json(found, told)}


def _validation(given: Given[None], corpus: DataFrame, task: TaskScores) -> list[Example]:
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
    found: list[Example] = [
        {"doc_id": row["doc_id"], "text": row["text"], **example}
        for row in documents
        for part, example in enumerate(task.examples(row), 1)
        if (row["doc_id"], part) not in parts
    ]
    if len(found) > most:
        given.say(f"    {most:,} of the validation examples are asked (evaluate.examples)")
    return found[:most]


def _ask(given: Given[None], kind: TaskKind, model: str, rows: Sequence[Example]) -> Iterable[Told]:
    """What the model answers by the verb of its task."""
    predictor = open_predictor(kind.verb, model, Options(beams=given.config.evaluate.beams))
    for low in range(0, len(rows), _AT_ONCE):
        part = rows[low : low + _AT_ONCE]
        for row, answer in zip(part, predictor.predict(part), strict=True):
            if isinstance(answer, Prediction):
                yield Told(row, str(answer.value), answer.score)
            else:
                yield Told(row, "", None, answer.reason)


def _as_json(found: Scored, told: Sequence[Told]) -> dict[str, Any]:
    return {
        "metrics": _figures(found.metrics),
        "baselines": {name: _figures(figures) for name, figures in found.baselines.items()},
        **found.more,
        **(_extremes(told, found) if found.goodness else {}),
    }


def _figures(metrics: Metrics) -> Mapping[str, float | None]:
    return {name: finite(value) for name, value in metrics.items()}


def _extremes(told: Sequence[Told], found: Scored) -> dict[str, Any]:
    """The best and the worst outputs."""
    rows = list(zip(told, found.goodness, found.wanted, strict=True))
    order = sorted(rows, key=lambda row: (row[1], row[0].row["doc_id"]))
    return {
        name: [
            {"text": one.row["text"], "prediction": one.value, "wanted": wanted, "goodness": goodness}
            for one, goodness, wanted in part
        ]
        for name, part in (("best", order[: -SHOWN - 1 : -1]), ("worst", order[:SHOWN]))
    }
