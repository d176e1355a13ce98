"""How the answers of a task's models are scored: what a task declares, is given and gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row

    from conf import RunConfig
    from pipelines.stage_output import Say

Example = Mapping[str, Any]
"""An example by the names of its columns."""

Metrics = Mapping[str, float | None]
"""Figures by their names; None where there is no number."""


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
    score: float | None = None
    refusal: str | None = None


@dataclass(frozen=True)
class Asked:
    """What scores are computed from.

    Attributes:
        told: The answers, at least one.
        corpus: Table `corpus`: a baseline may learn from its training split.
        config: The whole configuration.
        say: Prints a line of progress.
        words: Gives (doc_id, words) of the corpus, as the stage `features` sees words.
    """

    told: Sequence[Told]
    corpus: DataFrame
    config: RunConfig
    say: Say
    words: Callable[[], DataFrame]


@dataclass(frozen=True)
class Scored:
    """The scores of a task.

    Attributes:
        metrics: Those of the model.
        baselines: Those of what one could have had without it, by name.
        goodness: How good each answer is, more is better, by which the best and the worst are shown; empty:
            none is shown.
        wanted: What is right for each, as it is shown.
        more: What else evaluation.json has (JSON values).
    """

    metrics: Metrics
    baselines: Mapping[str, Metrics] = field(default_factory=dict)
    goodness: Sequence[float] = ()
    wanted: Sequence[str] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


def as_it_is(row: Row) -> list[Example]:
    """The example of a document that has one: its columns doc_id, text, target and label."""
    return [row.asDict()]


@dataclass(frozen=True)
class TaskScores:
    """How a task is scored.

    Attributes:
        score: The scores, given the answers.
        examples: The examples of a row of `corpus` (doc_id, text, target, label), in order, with the columns
            that the verb of the task reads. A document with several examples has them as its maker does.
        ask: Tells what the model of a folder says of examples, one after another; None: the verb of the task
            does.
    """

    score: Callable[[Asked], Scored]
    examples: Callable[[Row], Sequence[Example]] = as_it_is
    ask: Callable[[str, Sequence[Example]], Iterable[Told]] | None = None
