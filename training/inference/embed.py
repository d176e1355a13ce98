"""A vector for each text, from the last hidden states of a model."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from training.inference.folder import is_causal, open_model
from training.inference.options import Options
from training.inference.predictor import Outcome, Prediction, Predictor, Refusal, Row
from training.inference.windows import batches_of, text_windows


class Embedder(Predictor):
    """Vectors of length 1 whose inner product says how alike two texts are to the model.

    Of an encoder it is the mean of the last hidden states over all tokens that are no padding, special tokens
    included (as sentence-transformers has it); a text longer than the model is read in windows side by side,
    and the mean is over the tokens of all. Of a causal model it is the state of the last token, the only one
    that has seen the whole text; a longer text is refused there.

    Args:
        model_dir: Model folder.
        options: How it is used.
    """

    def __init__(self, model_dir: str, options: Options) -> None:
        self._opened = open_model("embed", model_dir, options)
        self._options = options
        self._causal = is_causal(self._opened.model.config)

    def predict(self, rows: Sequence[Row]) -> list[Outcome]:
        """See `Predictor.predict`; rows have a `text`."""
        windows, refused = text_windows(self._opened, rows)
        outcomes: dict[int, Outcome] = dict(refused)
        if self._causal:
            counts: dict[int, int] = {}
            for window in windows:
                counts[window.row] = counts.get(window.row, 0) + 1
            for row, count in counts.items():
                if count > 1:
                    outcomes[row] = Refusal(
                        "too_long",
                        f"the text has more than the {self._opened.longest} tokens that this causal model "
                        f"takes; split it, or use an encoder, which reads it in windows",
                    )
            windows = [window for window in windows if window.row not in outcomes]
        sums: dict[int, torch.Tensor] = {}
        with torch.inference_mode():
            for batch, inputs in batches_of(self._opened, windows, self._options):
                states = self._opened.model(**inputs).last_hidden_state.float()
                for number, vector in zip(batch, self._pooled(states, inputs), strict=True):
                    row = windows[number].row
                    sums[row] = sums[row] + vector if row in sums else vector
        for row, total in sums.items():
            vector = torch.nn.functional.normalize(total, dim=-1)
            outcomes[row] = Prediction(vector.tolist())
        return [outcomes[number] for number in range(len(rows))]

    def _pooled(self, states: torch.Tensor, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """The vector of each window, on the CPU: its length does not matter, it is normalised at the end."""
        mask = inputs["attention_mask"]
        if self._causal:
            return states[torch.arange(len(states)), mask.sum(-1) - 1].cpu()
        return (states * mask.unsqueeze(-1)).sum(1).cpu()
