"""A model folder, and what ringlake knows of it: opened without loading its weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.errors import InputError
from ringlake.base.storage import Folder, folder_of
from ringlake.display import grid, megabytes, panel
from training.models.made import is_whole, read_card

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from training.inference.predictor import Prediction, Refusal

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Answer:
    """What a model says of a row.

    Attributes:
        row: The row.
        value: Its prediction: text, or a vector of an encoder; None if it has none.
        score: Probability of a label or an answer; None where there is none.
        reason: Why it has no prediction; None if it has one.
    """

    row: Mapping[str, Any]
    value: str | list[float] | None
    score: float | None = None
    reason: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any], outcome: Prediction | Refusal) -> Answer:
        """What came of a row."""
        from training.inference.predictor import Refusal

        if isinstance(outcome, Refusal):
            return cls(row, None, reason=f"{outcome.detail} ({outcome.reason})")
        return cls(row, outcome.value, outcome.score)


class Answers(tuple[Answer, ...]):
    """Answers in the order of their rows."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        scored = any(answer.score is not None for answer in self)
        columns = [*(list(self[0].row) if self else []), "answer", *(["score"] if scored else [])]
        rows = [
            [*answer.row.values(), answer.reason if answer.value is None else answer.value]
            + ([answer.score] if scored else [])
            for answer in self
        ]
        return grid("Answers", columns, rows)


@dataclass(frozen=True)
class Model:
    """A model folder that a training left.

    Attributes:
        location: Its path or URL.
        task: What it has learned, a name of `task.name`.
        verb: What it is asked for: 'generate', 'translate', 'classify', 'answer' or 'embed'.
        architecture: Its kind, as transformers calls it.
        num_weights: Its weights.
        num_bytes: Size of the file of its weights.
        longest: Tokens that it can read at once; None where that has no limit.
        facts: What training noted of itself, JSON values.
    """

    location: str
    task: str
    verb: str
    architecture: str
    num_weights: int
    num_bytes: int
    longest: int | None
    facts: Mapping[str, Any] = field(repr=False)

    def predict(self, frame: DataFrame, *, id_column: str = "id", **options: Any) -> DataFrame:
        """The rows of a DataFrame with what this model says of them; see `ringlake.predict`.

        Args:
            frame: The rows.
            id_column: Column that names a row.
            **options: How the model is used.
        """
        from ringlake.lakes import predict

        return predict(frame, self.location, verb=self.verb, id_column=id_column, **options)

    def ask(self, *rows: str | Mapping[str, Any], **options: Any) -> Answers:
        """What the model says of a few texts, in this process.

        Args:
            *rows: Texts (prompts of a model that generates), or rows with the columns of the verb.
            **options: How the model is used, as in `predict`.

        Raises:
            RinglakeError: The model cannot be opened, or has no such option.

        Example:
            ringlake.open_model("mylake/model").ask("Return the", max_new_tokens=20)
        """
        from pipelines.predict.request import request, told_as_input
        from training.inference.opening import open_predictor
        from training.inference.options import INPUTS

        asked = request(self.verb, self.location, options)
        column = INPUTS[asked.verb][0]
        given = [{column: row} if isinstance(row, str) else dict(row) for row in rows]
        with told_as_input():
            outcomes = open_predictor(asked.verb, asked.model, asked.options).predict(given)
        return Answers(map(Answer.of, given, outcomes))

    def _repr_html_(self) -> str:
        return panel(
            f"Model {self.location}",
            {
                "task": self.task,
                "architecture": self.architecture,
                "weights": f"{self.num_weights:,} ({megabytes(self.num_bytes)})",
                "reads at most": None if self.longest is None else f"{self.longest:,} tokens",
                "labels": ", ".join(self.facts.get("labels") or ()) or None,
            },
        )


def open_model(location: str | os.PathLike[str]) -> Model:
    """The model in a folder, or of a lake; its weights are not read.

    Raises:
        RinglakeError: There is none that ringlake made, or a file of it is missing.

    Example:
        >>> import ringlake
        >>> ringlake.open_model("nowhere")
        Traceback (most recent call last):
        ...
        pipelines.errors.InputError: there is no model of ringlake at nowhere...
    """
    place = folder_of(location)
    folder = place if place.exists("config.json") else place.child("model")
    facts = read_card(folder)
    if facts is None:
        raise InputError(
            f"there is no model of ringlake at {os.fspath(location)}: give the folder with config.json and "
            f"ringlake.json that a training left, or its lake; others open with ringlake.predict"
        )
    if not is_whole(folder):
        raise InputError(
            f"the model at {folder.location} is not whole: a file that ringlake.json lists is missing or has "
            f"another size; train again with the run file that made it"
        )
    return _model(folder, facts)


def _model(folder: Folder, facts: Mapping[str, Any]) -> Model:
    return Model(
        location=folder.location,
        task=str(facts.get("task", "")),
        verb=str(facts.get("verb", "")),
        architecture=str(facts.get("model_type", "")),
        num_weights=int(facts.get("weights") or 0),
        num_bytes=folder.size(WEIGHTS) if folder.exists(WEIGHTS) else 0,
        longest=facts.get("longest"),
        facts=facts,
    )
