"""How the model of a task answered: metrics beside baselines, labels confused, best and worst outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.lake import Lake
from pipelines.lake.paths import read_json
from pipelines.report.points import finite

MOST_LABELS = 20
"""Labels whose confusion is shown: more columns do not fit a page."""


_SHOWN = {"bleu": "BLEU", "chrf": "chrF", "ece": "ECE", "f1": "F1", "macro_f1": "macro F1"}
"""Metrics that are written in another way than their names in evaluation.json."""


@dataclass(frozen=True)
class Row:
    """One row of the table of scores: the model or a baseline, with a value a metric or None."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Output:
    """What the model said of one example."""

    text: str
    prediction: str
    wanted: str


@dataclass(frozen=True)
class Answers:
    """The scores of a task.

    Attributes:
        task: Its name.
        examples: Validation examples that were asked.
        not_answered: Those without an answer, by reason.
        metrics: Names of the metrics.
        rows: The model, then the baselines.
        signature: How a library computed a metric; empty: nothing to say.
        labels: The labels of a classification, of which the confusion is shown.
        confusion: Examples by their label (rows) and the label told (columns).
        best: The best outputs.
        worst: The worst outputs.
    """

    task: str
    examples: int
    not_answered: tuple[tuple[str, int], ...]
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    signature: str
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    best: tuple[Output, ...]
    worst: tuple[Output, ...]


def answers(lake: Lake) -> Answers | None:
    """The scores of evaluation.json; None where it has none of a task."""
    if not lake.evaluation.exists():
        return None
    value = read_json(lake.evaluation)
    metrics = value.get("metrics")
    if not isinstance(metrics, dict) or value.get("task") in (None, "language-model"):
        return None
    names = tuple(map(str, metrics))
    shown = tuple(_SHOWN.get(name, name.replace("_", " ")) for name in names)
    baselines = value.get("baselines") or {}
    labels = tuple(map(str, value.get("labels") or ()))
    confusion = tuple(tuple(int(count) for count in row) for row in value.get("confusion") or ())
    return Answers(
        task=str(value["task"]),
        examples=finite(value.get("examples", value.get("sequences")), int) or 0,
        not_answered=tuple(sorted((value.get("not_answered") or {}).items())),
        metrics=shown,
        rows=(_row("model", metrics, names), *(_row(name, of, names) for name, of in baselines.items())),
        signature=str(value.get("signature") or ""),
        labels=labels if len(labels) <= MOST_LABELS else (),
        confusion=confusion if len(labels) <= MOST_LABELS else (),
        best=_outputs(value.get("best")),
        worst=_outputs(value.get("worst")),
    )


def _row(name: str, metrics: Mapping[str, Any], names: tuple[str, ...]) -> Row:
    return Row(str(name), tuple(finite(metrics.get(metric)) for metric in names))


def _outputs(rows: Any) -> tuple[Output, ...]:
    return tuple(
        Output(*(str(row.get(name) or "") for name in ("text", "prediction", "wanted"))) for row in rows or ()
    )
