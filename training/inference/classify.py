"""A label for each text, by a model with a classification head."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from training.inference.folder import open_model
from training.inference.options import Options
from training.inference.predictor import Outcome, Prediction, Predictor, Row
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
        windows, refused = text_windows(self._opened, rows)
        outcomes: dict[int, Outcome] = dict(refused)
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
            score, label = (total / weights[row]).max(-1)
            number = int(label)
            outcomes[row] = Prediction(self._labels.get(number, f"LABEL_{number}"), float(score))
        return [outcomes[number] for number in range(len(rows))]
