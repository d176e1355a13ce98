"""Scores of a classification: accuracy, macro F1, the confusion of labels, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
