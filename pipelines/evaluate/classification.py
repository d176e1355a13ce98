"""Scores of a classification: accuracy, macro F1, the confusion of labels, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyspark.sql import functions as F

from pipelines.evaluate.classic import classic_labels
from pipelines.evaluate.scores import Asked, Scored, TaskScores, Told

BINS = 15
"""Bins of confidence of the expected calibration error, as in Guo et al., "On Calibration of Modern Neural
Networks" (ICML 2017), section 2."""


@dataclass(frozen=True)
class ClassScores:
    """How well labels were told.

    Attributes:
        accuracy: Share of texts whose label was told.
        macro_f1: Mean over the labels of the F1 of each; a label that neither occurs nor is told counts not.
        ece: Expected calibration error; None where no confidence is known.
        labels: The labels that occur or were told, in their order.
        confusion: Texts by their label (rows) and the label told (columns).
    """

    accuracy: float
    macro_f1: float
    ece: float | None
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]


def score_labels(
    wanted: Sequence[str], told: Sequence[str], confidence: Sequence[float | None] = ()
) -> ClassScores:
    """The scores of some texts.

    Args:
        wanted: Their labels, at least one.
        told: What a model told.
        confidence: How sure it was, 0 to 1; empty where it does not say.

    >>> score_labels(["a", "a", "b", "b"], ["a", "b", "b", "b"]).accuracy
    0.75
    """
    labels = sorted({*wanted, *told})
    numbers = {label: number for number, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(table, ([numbers[label] for label in wanted], [numbers[label] for label in told]), 1)
    hits = np.diag(table)
    both = table.sum(0) + table.sum(1)
    right = np.array([label == other for label, other in zip(wanted, told, strict=True)])
    known = [value for value in confidence if value is not None]
    return ClassScores(
        accuracy=float(right.mean()),
        macro_f1=float((2 * hits / np.maximum(both, 1)).mean()),
        ece=calibration_error(np.array(known), right) if len(known) == len(right) else None,
        labels=tuple(labels),
        confusion=tuple(tuple(row) for row in table.tolist()),
    )


def calibration_error(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> float:
    """Mean distance between confidence and accuracy over bins of confidence, weighted by their texts.

    Args:
        confidence: Of each text, 0 to 1.
        right: Whether its label was told.
    """
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    error = 0.0
    for number in np.unique(bins):
        inside = bins == number
        error += float(inside.mean()) * abs(float(confidence[inside].mean() - right[inside].mean()))
    return error


def _score(asked: Asked) -> Scored:
    """The labels told beside the most frequent one, and beside what a regression on words tells."""
    told, corpus = asked.told, asked.corpus
    wanted = [one.row["label"] for one in told]
    scores = score_labels(wanted, [one.value for one in told], [one.score for one in told])
    train = corpus.where("split = 'train' and label is not null")
    most = train.groupBy("label").count().orderBy(F.desc("count"), "label").first()
    assert most is not None
    majority = score_labels(wanted, [most["label"]] * len(told))
    asked.say("    evaluate: words, TF-IDF and logistic regression on the same texts")
    words = asked.words().join(corpus.select("doc_id", "label", "split"), "doc_id")
    classic = classic_labels(
        words.where("split = 'train' and label is not null"), words.where("split = 'validation'")
    )
    simple = score_labels(wanted, [classic[one.row["doc_id"]] for one in told])
    return Scored(
        metrics={"accuracy": scores.accuracy, "macro_f1": scores.macro_f1, "ece": scores.ece},
        baselines={
            "majority label": {"accuracy": majority.accuracy, "macro_f1": majority.macro_f1},
            "TF-IDF, logistic regression": {"accuracy": simple.accuracy, "macro_f1": simple.macro_f1},
        },
        goodness=[_sureness(one) for one in told],
        wanted=wanted,
        more={"labels": list(scores.labels), "confusion": [list(row) for row in scores.confusion]},
    )


def _sureness(one: Told) -> float:
    """How good an answer is: the confidence in a right label, minus that in a wrong one."""
    sure = one.score or 0.0
    return sure if one.value == one.row["label"] else -sure


SCORES = TaskScores(_score)
