"""A label for each text, by a model with a classification head."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from training.inference.folder import open_model
from training.inference.options import Options
from training.inference.predictor import Outcome, Prediction, Predictor, Refusal, Row
from training.inference.windows import batches_of, text_windows


class Classifier(Predictor):
    """The likeliest label of a text and its probability.

    A text longer than the model is read in windows side by side; the probabilities of the labels are the
    means of those of the windows, weighted by their tokens.

    Args:
        model_dir: Model folder.
        options: How it is used.
    """

    def __init__(self, model_dir: str, options: Options) -> None:
        self._opened = open_model("classify", model_dir, options)
        self._options = options
        names = self._opened.model.config.id2label or {}
        self._labels = {int(number): str(name) for number, name in names.items()}

    def predict(self, rows: Sequence[Row]) -> list[Outcome]:
        """See `Predictor.predict`; rows have a `text`."""
        outcomes: list[Outcome] = []
        for found in self._probabilities(rows):
            if isinstance(found, Refusal):
                outcomes.append(found)
            else:
                score, label = found.max(-1)
                outcomes.append(Prediction(self._name(int(label)), float(score)))
        return outcomes

    def shares(self, row: Row) -> list[tuple[str, float]] | Refusal:
        """Every label of a text with its probability, the likeliest first."""
        (found,) = self._probabilities([row])
        if isinstance(found, Refusal):
            return found
        order = torch.argsort(found, descending=True, stable=True).tolist()
        return [(self._name(number), float(found[number])) for number in order]

    def _name(self, number: int) -> str:
        return self._labels.get(number, f"LABEL_{number}")

    def _probabilities(self, rows: Sequence[Row]) -> list[torch.Tensor | Refusal]:
        """The probabilities of the labels for each row, (labels,)."""
        windows, refused = text_windows(self._opened, rows)
        outcomes: dict[int, torch.Tensor | Refusal] = dict(refused)
        sums: dict[int, torch.Tensor] = {}
        weights: dict[int, int] = {}
        with torch.inference_mode():
            for batch, inputs in batches_of(self._opened, windows, self._options):
                logits = self._opened.model(**inputs).logits.float().cpu()
                for number, row_of_batch in zip(batch, torch.softmax(logits, -1), strict=True):
                    row, weight = windows[number].row, len(windows[number].ids)
                    weights[row] = weights.get(row, 0) + weight
                    sums[row] = sums[row] + row_of_batch * weight if row in sums else row_of_batch * weight
        for row, total in sums.items():
            outcomes[row] = total / weights[row]
        return [outcomes[number] for number in range(len(rows))]
