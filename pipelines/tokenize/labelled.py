"""Examples of classification: a text, and the number of the label that is to be learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import functions as F

from pipelines.errors import InputError
from pipelines.text.blank import is_blank
from pipelines.tokenize.examples import ExampleMaker, Refusal, Row, Words
from pipelines.tokenize.tasks import Examples

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from conf.task import TaskConfig

MAX_LABELS = 10_000
"""Most labels. The head of a model has a row of weights for each, and a column of free text has one a row."""


class Labelled(ExampleMaker):
    """A text framed by the tokenizer, and its label.

    Args:
        content: See `ExampleMaker`.
        max_tokens: See `ExampleMaker`.
        labels: The labels, by number.
    """

    def __init__(self, content: str, max_tokens: int, labels: Sequence[str]) -> None:
        super().__init__(content, max_tokens)
        self._numbers = {label: number for number, label in enumerate(labels)}

    def make(self, rows: Sequence[Row]) -> list[Words | Refusal]:
        """An example, or why there is none, for each row."""
        faults = [self._fault(row) for row in rows]
        good = [row for row, fault in zip(rows, faults, strict=True) if fault is None]
        given = iter(self.ids([row.text for row in good]))
        numbers = iter([self._numbers[row.label or ""] for row in good])
        return [
            self.joined(next(given), np.array([next(numbers)], np.uint32)) if fault is None else fault
            for fault in faults
        ]

    def _fault(self, row: Row) -> Refusal | None:
        if row.label is None:
            return Refusal("no_label", "it has no label; name the field that has it: ingest.label_field")
        if row.label not in self._numbers:
            return Refusal("unknown_label", f"label {row.label[:100]!r} does not occur in the training split")
        if is_blank(row.text):
            return Refusal("empty_text", "its text is empty or white space")
        return None


def labels_of(corpus: DataFrame) -> dict[str, int]:
    """The labels of the training split with their texts, in the order of the labels.

    Raises:
        InputError: There are none, only one, or too many.
    """
    train = corpus.where("split = 'train' and label is not null")
    counted = train.groupBy("label").agg(F.count("*").alias("n")).limit(MAX_LABELS + 1).collect()
    if len(counted) > MAX_LABELS:
        raise InputError(
            f"task classification: the training split has more than {MAX_LABELS:,} labels; is "
            f"ingest.label_field the column of the classes?"
        )
    if len(counted) < 2:
        found = f"only the label {counted[0]['label']!r}" if counted else "no label"
        raise InputError(
            f"task classification needs two labels at least, but the training split has {found}; name the "
            f"field that has them: ingest.label_field"
        )
    return {row["label"]: row["n"] for row in sorted(counted, key=lambda row: str(row["label"]))}


def _facts(corpus: DataFrame, _config: TaskConfig) -> dict[str, Any]:
    """The labels by number, with their texts."""
    counts = labels_of(corpus)
    return {"labels": list(counts), "label_counts": list(counts.values())}


EXAMPLES = Examples(
    Labelled,
    "END $A END",
    _facts,
    lambda _config, facts, _settings: {"labels": facts["labels"]},
    longest=lambda config: config.max_tokens - 1,
    learns_tokens=False,
)
